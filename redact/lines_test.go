package redact

import (
	"strings"
	"testing"
)

// secretLines hold secrets between ⟦ and ⟧; what stands outside must survive.
var secretLines = []string{
	// social security and taxpayer numbers
	"applicant ssn ⟦123-45-6789⟧ verified", "SSN: ⟦123 45 6789⟧", `{"ssn":"⟦123456789⟧"}`, "tax id ⟦912-78-1234⟧ on file", "ITIN ⟦912-70-1234⟧ received", `socialSecurityNumber=⟦078051120⟧`,
	"social security number is ⟦219-09-9999⟧.", "new hire 219-09-9999"[:9] + "⟦219-09-9999⟧", "taxpayer_id: ⟦900700001⟧", "<ssn>⟦123-45-6789⟧</ssn>", "ssn%3D⟦123-45-6789⟧", "SSN#⟦123456789⟧",
	"found ⟦457-55-5462⟧ in column 3", "employee (⟦457-55-5462⟧) matched",
	// cards
	"paid with ⟦4111 1111 1111⟧ 1111", "card=⟦411111111111⟧1111 ok", "pan ⟦5500-0000-0000⟧-0004", "amex ⟦3782 822463 1⟧0005", "diners ⟦3056930902⟧5904", "discover ⟦601111111111⟧1117 approved",
	"jcb ⟦353011133330⟧0000", "unionpay ⟦620000000000⟧0005", "maestro ⟦675964982643⟧8453", "mir ⟦220000000000⟧0004", "mixed 4111-1111 1111.1111"[:6] + "⟦4111-1111 1111.⟧1111", `{"cardNumber":"⟦411111111111⟧1111"}`,
	`"pan\":\"⟦411111111111⟧1111\"`, "card+number=⟦4111+1111+1111⟧+1111&x=1", "credit card 1234 5678 9012 3456"[:12] + "⟦1234 5678 9012⟧ 3456",
	"cvv 123"[:4] + "⟦123⟧", `"cvc":"⟦123⟧"`, "CVV2=⟦1234⟧ exp 12/29", "security code: ⟦987⟧", `{"cvv":⟦123⟧}`, "card verification value ⟦321⟧",
	"%B⟦4111111111111111^DOE/JOHN^25121011000012300000⟧?", "cvv2 ⟦4321⟧ given",
	// accounts
	"account number ⟦000123456789⟧ debited", "acct# ⟦12345678901⟧", `{"accountNumber":"⟦9876543210⟧"}`, "routing number ⟦021000021⟧", "ABA ⟦021000021⟧ acct no ⟦1234567890⟧", "routing=⟦121000358⟧", "iban ⟦DE89370400440532013000⟧", "IBAN ⟦GB29 NWBK 6016 1331 9268 19⟧ ok",
	"transfer to ⟦FR1420041010050500013M02606⟧ done", "sort code ⟦12-34-56⟧",
	// e-mail and phone
	"mail ⟦joe.bloggs+tag@example.co.uk⟧ sent", "<⟦ann@example.com⟧>", "user=⟦joe%40example.com⟧", `\u0022⟦joe\u0040example.com⟧\u0022`, "to: ⟦müller@exämple.de⟧", "mailto:⟦a_b@x.org⟧", "contact ⟦o'brien@example.ie⟧",
	"call ⟦(415) 555-2671⟧", "phone ⟦415-555-2671⟧ now", "tel ⟦415.555.2671⟧", "⟦+14155552671⟧", "⟦+1 (415) 555-2671⟧", "⟦+44 20 7946 0958⟧ rang", "⟦+49 30 12345678⟧", `{"phone":"⟦4155552671⟧"}`, "mobile=⟦4155552671⟧", "phoneNumber: ⟦020 7946 0958⟧",
	"⟦1-800-555-0199⟧", "msisdn ⟦447911123456⟧", "fax ⟦+33 1 23 45 67 89⟧", "⟦0049 30 12345678⟧ ",
	// birth, papers
	"dob ⟦1980-05-17⟧", "DOB: ⟦05/17/1980⟧", "born ⟦17 May 1980⟧ in", "date of birth ⟦May 17, 1980⟧", `{"birthDate":"⟦1980-05-17⟧"}`, "birthdate=⟦19800517⟧", "born on ⟦5/7/80⟧", "date_of_birth: ⟦17.05.1980⟧", `"dateOfBirth":"⟦1980-05-17⟧T00:00:00Z"`,
	"passport ⟦X1234567⟧", "passport no. ⟦C01X00T47⟧", `{"passportNumber":"⟦123456789⟧"}`, "driver's license ⟦D1234567⟧", "driver license number: ⟦F255-9215-0094⟧", "DL: ⟦D1234567⟧", "licence no ⟦MORGA753116SM9IJ⟧", `driversLicense="⟦S530-4608-7654⟧"`, "license state CA ⟦B7654321⟧",
	"License No.: ⟦D1234567⟧", "DL# ⟦D123-4567-8901⟧", "tel:⟦+1(415)5552671⟧",
	// headers
	"Authorization: Bearer ⟦abc.def-ghi_123⟧", "authorization: Basic ⟦dXNlcjpwYXNz⟧", `"Authorization":"Bearer ⟦tok123456⟧"`, "> Authorization: token ⟦1234abcd⟧", "Proxy-Authorization: Basic ⟦Zm9vOmJhcg==⟧", "map[Authorization:[Bearer ⟦xyz12345⟧] Accept:[*/*]]",
	"Cookie: ⟦sid=abc123; theme=dark⟧", "Set-Cookie: ⟦session=s%3Aabc.def; Path=/; HttpOnly⟧", "X-Signature: ⟦9f86d081884c7d65⟧", "X-Hub-Signature-256: ⟦sha256=9f86d081884c⟧", "x-api-key: ⟦k-1234-abcd⟧", "X-Auth-Token: ⟦gAAAAABk⟧", "curl -H 'Authorization: Bearer ⟦abc123def456⟧' https://api",
	`Authorization: AWS4-HMAC-SHA256 ⟦Credential=AKID/20260101/us/s3/aws4_request, SignedHeaders=host, Signature=fe5f80⟧`, `Authorization: Digest ⟦username="u", realm="r", response="6629fae49393a05397450978507c4ef1"⟧`,
	"sent bearer ⟦eyJabc123⟧ to peer", "JSESSIONID=⟦0A1B2C3D⟧; done", "JWT ⟦eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U⟧",
	// passwords and keys
	"password=⟦hunter2⟧", "password: ⟦hunter2⟧", `{"password":"⟦hunter2⟧"}`, `{"a":{"userPassword":"⟦p w⟧"}}`, `"{\"password\":\"⟦a\\\"b⟧\"}"`, `pass\u0077ord=⟦x1y2⟧`, `{"p\u0061ssword":"⟦\u0073ecret⟧"}`, `<password>⟦hunter2⟧</password>`,
	`<user name="joe" password="⟦hunter2⟧"/>`, `<wsse:Password Type="t">⟦abc⟧</wsse:Password>`, `<add key="ApiKey" value="⟦abc123⟧"/>`, `<password><![CDATA[⟦hunter2⟧]]></password>`, "user=joe&password=⟦%68unter2⟧&x=1", "passwd=⟦a,b;c⟧ user=joe", "db_password='⟦it''s⟧'", "DB_PASSWORD=⟦s3cr3t⟧",
	"{Name:joe Password:⟦hunter2⟧ Age:3}", `&{Name:"joe", Token:"⟦abc⟧"}`, "map[password:⟦hunter2⟧ user:joe]", `map[string]string{"secret":"⟦abc⟧"}`, "{'password': '⟦hunter2⟧', 'u': 1}", `[password] => ⟦hunter2⟧`, `:password => "⟦hunter2⟧"`, "--password ⟦hunter2⟧ --host x", "--db-password=⟦hunter2⟧",
	"mysql -u root -p⟦hunter2⟧ shop", "curl -u joe:⟦hunter2⟧ https://x", "sshpass -p ⟦hunter2⟧ ssh x", "export API_TOKEN=⟦abc⟧", "ALTER ROLE joe PASSWORD '⟦hunter2⟧'", "CREATE USER joe IDENTIFIED BY '⟦hunter2⟧'", "UPDATE u SET password = '⟦hunter2⟧' WHERE id = 1", "INSERT INTO users (name, password, age) VALUES ('joe', '⟦hunter2⟧', 3)",
	"password is ⟦Tr0ub4dor&3⟧", `password "⟦hunter2⟧" rejected`, "client_secret=⟦abc123⟧", "clientSecret: ⟦abc123⟧", "private_key=⟦abc⟧", "aws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟧", "session_token=⟦abc⟧", "refreshToken: ⟦abc⟧", "API key: ⟦abc123⟧", "pin=⟦1234⟧", `{"otp":"⟦123456⟧"}`,
	`{"name":"DB_PASSWORD","value":"⟦hunter2⟧"}`, "- name: API_KEY\n  value: ⟦abc⟧", "('password', '⟦hunter2⟧')", "Pwd=⟦x⟧;Database=shop", "passphrase: ⟦correct horse⟧"[:12] + "⟦correct-horse⟧", `secret_key_base: ⟦abcdef⟧`[:0] + "secretKey=⟦abcdef⟧",
	"OTP ⟦482913⟧ sent", "Your verification code is ⟦482913⟧", "machine api.example.com login joe password ⟦hunter2secret⟧", "Passwort: ⟦geheim123⟧",
	"password = N'⟦abc12345⟧'", "docker login -u joe -p ⟦abc12345⟧ registry", "http --auth joe:⟦abc12345⟧ https://x", "spring.datasource.password=⟦hunter2⟧", "-Dpassword=⟦hunter2⟧",
	"root:⟦$6$rounds=5000$abcdefgh$ijklmnopqrstuvwxyz⟧:18000:0", "stored ⟦$2b$12$KIXQe5Z1Zx1Zx1Zx1Zx1ZeABCDEFGHIJKLMNOPQRSTUVWXYZ1234⟧", "aws configure set aws_secret_access_key ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟧",
	// URLs
	"postgres://app:⟦s3cr3t⟧@db:5432/shop", "redis://:⟦s3cr3t⟧@cache:6379/0", "https://joe:⟦pw⟧@example.com/x", "mongodb+srv://u:⟦p@ss⟧@h.mongodb.net/d", "amqp://guest:⟦s3cr3t⟧@mq/", "host=db user=app password=⟦s3cr3t⟧ dbname=x", "jdbc:postgresql://h/d?user=u&password=⟦s3cr3t⟧",
	"GET /x?access_token=⟦abc⟧&page=2", "https://b.s3.amazonaws.com/k?X-Amz-Credential=⟦AKID%2F2026⟧&X-Amz-Signature=⟦fe5f80⟧", "https://a.blob.core.windows.net/c?sv=2020&sig=⟦abc%2Bdef⟧", "app:⟦s3cr3t⟧@tcp(127.0.0.1:3306)/shop", "https://hooks.slack.com/⟦services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX⟧",
	"AccountName=a;AccountKey=⟦abc==⟧;EndpointSuffix=x", "ftp://u:⟦s3cr3t⟧@h", "jdbc:oracle:thin:scott/⟦tiger⟧@//h:1521/x",
	// providers
	"key ⟦AKIAIOSFODNN7EXAMPLE⟧ used", "⟦AIzaSyA-1234567890abcdefghijklmnopqrstu⟧", "⟦ghp_" + strings.Repeat("a1", 18) + "⟧", "⟦xoxb-123456789012-abcdefABCDEF⟧", "⟦sk_live_" + strings.Repeat("a1", 12) + "⟧", "⟦glpat-abcdefghij1234567890⟧", "⟦SG.abcdefghijklmnop1234.qrstuvwxyz1234567890⟧", "⟦npm_" + strings.Repeat("a1", 18) + "⟧", "⟦hf_" + strings.Repeat("aB", 17) + "1⟧", "bot ⟦123456789:AAE" + strings.Repeat("a1", 16) + "⟧",
	"⟦-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----⟧", `"key":"⟦-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n⟧"`, "⟦sk-ant-api03-" + strings.Repeat("a1", 20) + "⟧", "⟦dop_v1_" + strings.Repeat("a1", 32) + "⟧", "⟦whsec_" + strings.Repeat("a1", 16) + "⟧",
	// split by invisible characters
	"pass\u200bword=⟦hunter2⟧", "ssn 123\u200b-45-6789"[:4] + "⟦123\u200b-45-6789⟧", "card ⟦4111\x001111\x001111⟧\x001111"[:0] + "password=\x1b[31m⟦hunter2⟧\x1b[0m", "card ⟦4111\u00a01111\u00a01111⟧\u00a01111",
}

// harmlessLines must come out as they are.
var harmlessLines = []string{
	"unexpected token } in JSON at position 4", "password must not be empty", "forgot password page opened", "password reset succeeded for user u-1", "invalid token: unexpected end of input", "token expired", "the secret of good picking", "order key A-17, primary key id", "Unexpected token 'export'",
	`{"sessionId":"b7c1d2e3-1111-4222-8333-abcdefabcdef","idempotencyKey":"0192f3c0-1234-7123-8123-123456789012"}`, "Idempotency-Key: 0192f3c0-1234-7123-8123-123456789012", "X-Session-Id: s-1834-99", "correlation id 0192f3c0-1234-7123-8123-123456789012", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	"commit 81d4fc6a9b", "lsn 0/16B3748 flushed", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "at 1700000000 and 1700000000123 and 1700000000123456", "2026-11-20T10:15:00.123Z INFO started", "2026-11-20 10:15:00,123 [main] INFO done in 182 ms", "barcode 4006381333931 scanned", "ean 96385074", "gtin 00012345600012", "upc 036000291452", "sscc 340123450000000017",
	"order A-17 invoice INV-2026-000123 pick 182", "seq 4182 to 4197, 16 accepted", "isbn 978-3-16-148410-0", "tracking 1Z999AA10123456784", "10.12.0.7:52341 - - [20/Nov/2026:10:15:00 +0000] \"GET /v1/limits HTTP/1.1\" 200 512 1024", "goroutine 17 [running]: main.main() /src/main.go:42 +0x1d", "panic: runtime error: invalid memory address [signal SIGSEGV: code=0x1 addr=0x0 pc=0x4a1b2c]",
	"version 4.18.2 build 20261120", "took 12.4ms, 99.5 % of 1,234,567", "lat 52.5200 lon 13.4050", "00:1B:44:11:3A:B7 joined", "price 1234.56 EUR", "Größe geändert: drei Stücke für Köln", "注文が完了しました", "done ✅ 👍🏽", "SELECT id, name FROM users WHERE store = '0042'", "card declined", "account locked", "phone call ended", "email sent", "license: Apache-2.0", "born to pick",
	"store 0042 aisle 12 bin 7", "temperature=21.5 humidity=40", `{"token_type":"Bearer","expires_in":3600}`, "max_tokens=4096", "passed=12 failed=0", "passport control is closed", "bearer of bad news", "basic authentication is off", "cookie policy accepted", "signature verification failed", "HTTP/1.1 401 Unauthorized", "auth=token", "password_changed_at=2026-11-20T10:15:00Z", "password=[REDACTED] user=joe", "card [REDACTED 1111]", "****1111", "tel aviv", "pin 7 of connector", "x < y and a -> b", "err=<nil>", "a?page=2&size=50", "AT&T", "postgres://db:5432/shop", "git@github.com:org/repo.git", "pkg@v1.2.3", "sshd[123]: session opened", "20 items at 3 dollars", "api key rotated", "the access token is missing", "secret not found", "token: missing", "password: required", "error parsing token: EOF", "key=order/A-17", "orderKey=order/A-17", "primaryKey: 12", "public_key_id: 7", "fedex 123456789012", "phase 1-2-3", "ratio 16:9", "range 100-200", "555 units", "ticket 12345678 opened by u-1",
	"status unpacked xauth:amd64 1:1.1.2-1", "send it as Authorization: Bearer, at least 16 characters", "`HOLDFAST_TOKEN`, `HOLDFAST_TOKEN_FILE`", "costs $2 or $5, see $1 and $HOME", "api_key rotated at 10:15", "password field is hidden", "secret rotation finished in 12 s", "user changed password at 10:15", "secrets: 3 loaded", "tokens: 182", "credential helper not configured",
	"date of last pick 2026-11-20", "account manager called", "routing table has 182 entries", "routing key orders.created", "cell 7 of row 12", "mobile app 4.18.2 started", "transaction 0192f3c0-1234-7123-8123-123456789012 accepted",
}

func marks(text string) (line string, secrets, kept []string) {
	rest := text
	for {
		before, after, found := strings.Cut(rest, "⟦")
		line += before
		kept = append(kept, before)
		if !found {
			return line, secrets, kept
		}
		secret, after, _ := strings.Cut(after, "⟧")
		secrets = append(secrets, secret)
		line += secret
		rest = after
	}
}

func TestSecretsAreMasked(t *testing.T) {
	for _, text := range secretLines {
		line, secrets, kept := marks(text)
		got := Default.String(line)
		for _, secret := range secrets {
			if strings.Contains(got, secret) {
				t.Errorf("%q\n → %q: %q is there still", line, got, secret)
			}
		}
		plain := string(appendEncoded(nil, []byte(strings.Join(kept, "\x01")), styleOf([]byte(line))))
		for _, k := range strings.Split(plain, `\u0001`) {
			if strings.Contains(got, "[REDACTED ") { // the last four digits stand in the mask
				k = strings.TrimLeft(k, " +-.0123456789\u00a0")
			}
			if !strings.Contains(got, k) {
				t.Errorf("%q\n → %q: %q is gone", line, got, k)
			}
		}
		if again := Default.String(got); again != got {
			t.Errorf("%q\n → %q\n → %q", line, got, again)
		}
	}
}

func TestHarmlessLinesAreUntouched(t *testing.T) {
	for _, line := range harmlessLines {
		if got := Default.String(line); got != line {
			t.Errorf("%q\n → %q", line, got)
		}
	}
}
