package redact

import "testing"

func TestTry(t *testing.T) {
	for _, l := range []string{
		`{"level":"info","msg":"request","correlationId":"0192f3c0-1234-7123-8123-123456789012","status":201,"durationMs":1.5}`,
		`user ssn 123-45-6789 paid with 4111 1111 1111 1111 ok`,
		`password=hunter2&user=joe`, `{"a":"{\"password\":\"ab\\\"cd\",\"x\":1}"}`, `pass\u0077ord="x1y"`, `{Password:hunter2 Token:abc User:joe}`,
		`Authorization: Bearer abc.def-123 status=200`, `curl -H 'Cookie: a=b; c=d' https://x`, `<password>x</password>`, `INSERT INTO u (name, password) VALUES ('joe','pw'),('a','b')`,
		`postgres://u:p@ss@h:5432/db`, `joe@example.com called +1 415 555 2671`, `dob 05/17/1980 born on May 17, 1980`, `passport no. X1234567 issued`, `IBAN DE89 3704 0044 0532 0130 00 ok`,
		`unexpected token } in JSON`, `password must not be empty`, "a\nb\x1b[31m", `<script>alert(1)</script>`, `{"cardNumber":4111111111111111,"cvv":123}`,
		`GET /a?token=abc&x=1 HTTP/1.1`, `name: DB_PASSWORD value: hunter2`, `{"name":"api_key","value":"s3cr3t"}`,
	} {
		t.Log(Default.String(l))
	}
}
