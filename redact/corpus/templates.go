package corpus

import "strings"

// frames are the lines of logs that texts stand in; ¶ is the text.
var frames = []string{
	"¶", "¶", "¶",
	`time="{date}T{time}Z" level=info msg="¶" store={store} order={order} durationMs={n3}`,
	`{"level":"info","time":"{date}T{time}Z","msg":"¶","correlationId":"{uuid}","storeId":"{store}"}`,
	`{"level":"error","ts":{epoch}.123,"caller":"sync/intake.go:{n2}","msg":"¶","streamId":"{uuid}","status":{n3}}`,
	"{date} {time} {level} [http-nio-8080-exec-{n1}] c.e.OrderService - ¶",
	"{date}T{time}Z {level} gateway[{n4}]: ¶ (order {order})",
	"[{date} {time}] production.{level}: ¶",
	"I{n4} {time} {n6} server.go:{n3}] ¶",
	"Nov {n1} {time} host-{n2} app[{n4}]: ¶",
	"{ip} - - [{date}] ¶",
	"E/ReactNativeJS({n4}): ¶",
	"panic: ¶ [recovered]",
	"caused by: java.lang.IllegalStateException: ¶",
	"retry {n1}: ¶; trace {hex32}",
}

func list(text string) []string { return strings.Split(strings.Trim(text, "\n"), "\n") }

var kinds = []kind{
	{"card", func(m maker) (string, string) {
		c := m.card()
		return m.grouped(c), c[len(c)-4:]
	}, nil, list(`
paid with §
card § was declined
cardNumber=§
pan: § exp 12/29
charge § for 12.50 EUR failed
credit card number § not accepted
customer gave § over the phone
auth declined for §, code 05
&{Holder:joe Number:§ Exp:12/29}
tokenized § ok
refund to § queued
payment {order}: § approved`)},
	{"cardkey", func(m maker) (string, string) { c := m.card(); return c, c[len(c)-4:] }, nil, list(`
{"pan":"§","amount":12}
{"payment":{"cardNumber":"§","holder":"j"}}
card_number=§&amount=12
<CardNumber>§</CardNumber>
map[cardNumber:§ holder:joe]
INSERT INTO payments (id, card_number) VALUES (7, '§')
ccn: §
primary_account_number = §`)},
	{"cvv", plain(func(m maker) string { return m.from(decimal, 3) }), nil, list(`
cvv=§ exp=12/29
{"cvv":"§"}
{"cvc":"§","x":1}
CVV2: §
security code: §
card verification value §
cvv §
<cvv>§</cvv>
card_cvc=§
securityCode: §`)},
	{"ssn", plain(func(m maker) string { a, g, s := m.ssn(); return a + "-" + g + "-" + s }), nil, list(`
applicant § verified
ssn § on file
SSN: §
{"ssn":"§"}
social security number is §
employee § matched
<ssn>§</ssn>
ssn=§&x=1
row 7: joe, §, active
duplicate key (tax_id)=(§) already exists
socialSecurityNumber: §
background check for § started`)},
	{"ssn9", plain(func(m maker) string { a, g, s := m.ssn(); return a + g + s }), nil, list(`
ssn=§
{"ssn":"§"}
SSN §
social security number: §
tax id §
{"taxId":"§"}
ssn is §
ssn: §`)},
	{"itin", plain(func(m maker) string {
		return "9" + m.from(decimal, 2) + "-7" + m.from("012345678", 1) + "-" + m.from(decimal, 4)
	}), nil, list(`
ITIN § received
itin=§
taxpayer § filed
{"itin":"§"}
tax id: §
filer § matched`)},
	{"iban", plain(maker.iban), nil, list(`
iban §
IBAN: §
transfer to § done
{"iban":"§"}
payout § failed
creditor § debtor unknown
iban=§
<IBAN>§</IBAN>`)},
	{"account", plain(func(m maker) string { return m.from(nonzero, 1) + m.from(decimal, 7+m.IntN(5)) }), nil, list(`
account number §
acct# §
{"accountNumber":"§"}
bank account: §
account no. § debited
acct_no=§
bankAccount=§
checking account number is §
accountNumber: §
deposit to account number §`)},
	{"routing", plain(func(m maker) string { return "0" + m.from(nonzero, 1) + m.from(decimal, 7) }), nil, list(`
routing number §
{"routingNumber":"§"}
ABA §
routing=§
routing_number: §
bank routing no § ok
aba: §`)},
	{"email", plain(maker.email), nil, list(`
user § signed in
mail to § bounced
{"email":"§"}
email=§
<§> unknown
From: §
reset link sent to §
duplicate key value (email)=(§)
mailto:§
contact § for help
&{Email:§ Age:3}
login failed for §: bad password`)},
	{"emailurl", plain(maker.email), func(_ maker, v string) string { return strings.ReplaceAll(v, "@", "%40") }, list(`
GET /users?email=§ HTTP/1.1
email=§&x=1
/reset?to=§
user%3D§`)},
	{"phone", plain(maker.phone), nil, list(`
call §
phone § verified
{"phone":"§"}
customer § picked up
tel: §
sms to § failed
phoneNumber=§
reached at § today
mobile § unreachable
contact: §
fax §
callback to § scheduled`)},
	{"phonebare", plain(func(m maker) string { return m.from("23456789", 1) + m.from(decimal, 9) }), nil, list(`
phone=§
{"phone":"§"}
mobile: §
phone number §
tel §
{"mobileNumber":"§"}
cell: §`)},
	{"birth", plain(maker.birth), nil, list(`
dob §
DOB: §
{"dob":"§"}
born §
born on §
date of birth §
dateOfBirth=§
{"birthDate":"§"}
birthday: §
birth_date: §
<DateOfBirth>§</DateOfBirth>
patient born § admitted`)},
	{"papers", plain(maker.papers), nil, list(`
passport §
passport no. §
{"passportNumber":"§"}
passport number: §
driver's license §
driver license number §
licence no §
{"driversLicense":"§"}
license number: §
DL: §
drivers_license=§
passport=§`)},
	{"password", plain(maker.password), nil, list(`
password=§ user=joe
password: §
passwd=§
pwd=§ host=db
user=joe password='§'
PASSWORD=§
db_password: §
--password § --host db
--db-password=§
export DB_PASSWORD=§
password is "§"
ALTER ROLE app PASSWORD '§'
CREATE USER app IDENTIFIED BY '§'
UPDATE users SET password = '§' WHERE id = 7
INSERT INTO users (name, password) VALUES ('joe', '§')
host=db user=app password=§ dbname=shop
Server=db;User Id=app;Password=§;Database=shop
passphrase: §
new password: §
userPassword=§`)},
	{"passjson", plain(maker.password), func(_ maker, v string) string { return quoteJSON(v) }, list(`
{"password":"§"}
{"user":{"name":"joe","password":"§"}}
{"db":{"pwd": "§", "host":"db"}}
{"newPassword":"§","old":1}
{'password': '§'}
{"name":"DB_PASSWORD","value":"§"}
{"p\u0061ssword":"§"}
{"secret":"§"}
"{\"password\":\"§\"}"
{"a":"{\"b\":\"{\\\"password\\\":\\\"§\\\"}\"}"}`)},
	{"passdump", plain(func(m maker) string { return m.from(base62, 12) }), nil, list(`
{Name:joe Password:§ Age:3}
&{User:joe Secret:§}
main.Config{Password:"§", Host:"db"}
map[password:§ user:joe]
map[string]string{"password":"§"}
User(name=joe, password=§)
{:password=>"§"}
[password] => §
('password', '§')
<password>§</password>
<user name="joe" password="§"/>
<add key="Password" value="§"/>
<wsse:Password Type="PasswordText">§</wsse:Password>
name: DB_PASSWORD, value: §
user=joe&password=§&remember=1
password%3D§%26user%3Djoe
curl -u joe:§ https://api
mysql -u root -p§ shop
sshpass -p § ssh host
PGPASSWORD=§ psql`)},
	{"key", plain(maker.opaque), nil, list(`
api_key=§
apiKey: §
{"apiKey":"§"}
X-Api-Key: §
client_secret=§
{"clientSecret":"§"}
secret=§
SECRET_KEY=§
aws_secret_access_key = §
private_key: §
access_token=§&x=1
refresh_token: §
{"access_token":"§","token_type":"Bearer"}
session_token=§
token: §
authToken=§
X-Auth-Token: §
encryption_key: §
webhook secret: §
export TOKEN=§
signing_key=§
{"key":"api_key","value":"§"}
API key: §
AccountName=a;AccountKey=§;EndpointSuffix=x`)},
	{"header", plain(maker.opaque), nil, list(`
Authorization: Bearer §
authorization: bearer §
Authorization: token §
Authorization: ApiKey §
Proxy-Authorization: Basic §
Authorization: §
map[Authorization:[Bearer §] Accept:[*/*]]
curl -H 'Authorization: Bearer §' https://api
> Authorization: Bearer §
X-Signature: §
X-Hub-Signature-256: sha256=§
Signature: §
sent bearer §
Authorization=Bearer §
X-Amz-Security-Token: §`)},
	{"headerjson", plain(maker.opaque), nil, list(`
{"headers":{"Authorization":"Bearer §"}}
{"authorization":["Bearer §"]}
"Authorization": "Basic §"
{"Cookie":"sid=§"}
{"x-api-key":"§"}`)},
	{"cookie", plain(maker.opaque), nil, list(`
Cookie: sid=§
Cookie: theme=dark; session=§; x=1
Set-Cookie: sid=§; Path=/; HttpOnly
set-cookie: JSESSIONID=§; Secure
JSESSIONID=§
PHPSESSID=§
curl --cookie 'a=1' -H 'Cookie: s=§'
map[Cookie:[sid=§] Host:[x]]
session_cookie=§
< Set-Cookie: auth=§; Max-Age=3600`)},
	{"jwt", plain(maker.jwt), nil, list(`
token §
got § from peer
Authorization: Bearer §
{"jwt":"§"}
id_token=§
?token=§
assertion: §
verified § ok`)},
	{"url", plain(func(m maker) string { return m.from(base62, 10) }), nil, list(`
postgres://app:§@db:5432/shop
connect postgres://app:§@db-1,db-2:5432/shop?sslmode=require failed
redis://:§@cache:6379/0
mongodb+srv://u:§@h.example.net/d
amqp://app:§@mq:5672/
https://joe:§@example.com/x
mysql://root:§@127.0.0.1:3306/shop
app:§@tcp(127.0.0.1:3306)/shop
jdbc:postgresql://h/d?user=u&password=§
jdbc:oracle:thin:scott/§@//h:1521/x
ftp://u:§@h/file
smtp://u:§@mail:587
rediss://default:§@cache:6380`)},
	{"query", plain(maker.opaque), nil, list(`
GET /x?token=§ HTTP/1.1
GET /x?page=2&access_token=§ HTTP/1.1
https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=§
https://a.blob.core.windows.net/c?sv=2020&sig=§
https://storage.googleapis.com/b/o?X-Goog-Signature=§
/callback?state=1&api_key=§
https://x/y?apikey=§&z=1
https://b.s3.amazonaws.com/k?X-Amz-Credential=§&x=1
wss://x/socket?auth_token=§`)},
	{"provider", plain(maker.provider), nil, list(`
using § now
key §
leaked § in repo
config: §
value=§
found "§"
(§)
push rejected: § detected
env: §
creds §`)},
	{"pem", plain(maker.pem), nil, list(`
§
key: §
loaded §
cert and §`)},
	{"pemjson", plain(maker.pem), func(_ maker, v string) string { return strings.ReplaceAll(v, "\n", `\n`) }, list(`
{"private_key":"§"}
{"type":"service_account","private_key":"§","client_id":"1"}
key="§"`)},
}

// harmless are lines that must come out as they are.
var harmless = list(`
{"level":"info","msg":"request","correlationId":"{uuid}","durationMs":{n2}.{n2},"status":201,"streamId":"{uuid}"}
{"time":"{date}T{time}Z","level":"info","msg":"batch accepted","firstSeq":{n4},"lastSeq":{n4},"digest":"{hex64}"}
{date} {time} INFO order {order} picked in {n3} seconds by u-{n4}
{date}T{time}Z {level} store {store} aisle {n2} bin {n1}: {n2} items
{ip} - - [20/Nov/2026:10:15:00 +0000] "GET /v1/streams/{uuid} HTTP/1.1" 200 {n3} {n4}
{ip}:{port} connected, {n2} open
commit {hex40} deployed to ring east-{n1}
sha256:{hex64} pulled in {dur}
traceparent 00-{hex32}-{hex16}-01
span {hex16} of trace {hex32} ended after {dur}
flushed through {lsn} in {dur}
barcode {ean13} scanned at {word} {n2}
ean={ean13} qty={n1}
{"ean":"{ean13}","qty":{n1}}
{"gtin":"{gtin}","sscc":"{sscc}"}
upc {upc} not on file
ean8 {ean8} ok
sscc {sscc} moved to {word} {n2}
isbn {isbn} returned
tracking {ups} handed over
tracking number {usps} printed
sku {sku} price {n2}.99 EUR
invoice {order} total 1,{n3}.50
started at {epoch}, ended at {epoch}
at={ms} took={n3}
ts {us} seq {n6}
clock {ns} ns
lsn={lsn} position={n8}
mac {mac} joined
version {ver} build {n8}
node {hex7} at {ip}:{port} is up
retry {n1} of {n2} in {dur}
session {uuid} started
{"sessionId":"{uuid}","idempotencyKey":"{uuid}"}
Idempotency-Key: {uuid}
X-Session-Id: s-{n4}
X-Correlation-Id: {uuid}
idempotency key {uuid} replayed
order key order/{order} waits
primary key ({n4}) exists
unexpected token } in JSON at position {n2}
Unexpected token 'export' in file{n1}.js
token expired
invalid token: signature mismatch
password must not be empty
password must be at least 12 characters
forgot password page opened {n2} times
password reset succeeded for user u-{n4}
user u-{n4} changed the password at {time}
wrong password, {n1} attempts left
password: required
secret rotation finished in {dur}
secret not found
api key rotated
max_tokens={n4} used={n3}
{"token_type":"Bearer","expires_in":3600}
login page loaded in {dur}
phone call ended after {n2} minutes
email sent to {n2} stores
card declined
account locked after {n1} attempts
license: Apache-2.0
MIT license, version {ver}
passport control is closed
bearer of bad news
basic authentication is off
cookie policy accepted
signature verification failed for {uuid}
goroutine {n2} [running]: main.main() /src/main.go:{n2} +0x1d
panic: runtime error: index out of range [{n1}] with length {n1}
at com.example.Order.pick(Order.java:{n3})
File "/srv/app/order.py", line {n3}, in pick
0xc000{hex7} freed
error: EOF
err=<nil> n={n2}
SELECT id, name FROM orders WHERE store = '{store}' LIMIT {n2}
INSERT INTO picks (id, store, qty) VALUES ({n4}, '{store}', {n1})
UPDATE stock SET qty = qty - {n1} WHERE sku = '{sku}'
GET /v1/orders?page={n1}&size={n2} HTTP/1.1
https://example.com/orders/{order}?lang=de
postgres://db:5432/shop is up
redis://cache:6379/0 answers
git@github.com:org/repo.git cloned
github.com/org/pkg@v{ver} added
temperature=21.5 humidity={n2}
lat 52.{n4} lon 13.{n4}
heap {n3} MiB, gc {n1} ms, {n3} goroutines
Größe geändert: drei Stücke für Köln
注文 {n4} が完了しました
commande {order} préparée à l'allée {n2}
pedido {order} terminado ✅
ratio 16:9, range {n3}-{n3}, phase 1-2-3
x < y and a -> b, 99.5 % of {n4}
AT&T lane {n1} opened
wave {n2} released: {n3} orders, {n2} zones
device ipad-{store}-{n1} battery {n2}%
disk {n2}% full, inode {n8}
http2: stream {n3} closed
status=201 bytes={n4} duration={dur}
level=debug msg="cache hit" key=order/{order} ttl={n3}s
path=/var/lib/holdfast/objects/{hex7}/{hex40}
rate {n3}/s, p95 {dur}, p99 {dur}
ticket {n8} opened by u-{n4}
pallet {n6} weighs {n3}.{n1} kg
user agent Mozilla/5.0 (iPad; CPU OS 17_{n1} like Mac OS X) AppleWebKit/605.1.15
Content-Length: {n4}
Content-Type: application/json; charset=utf-8
epoch=7 acceptedThrough={n4} durableThrough={n4}
consumer orders answered R-{n4} after {dur}
reference number R-{n6} stored
password=[REDACTED] user=joe
card [REDACTED 1111] charged
pin {n1} of connector J{n1} is loose
key rotation is due in {n2} days
public key id {hex16}
routing key orders.created
account manager called at {time}
cell {n1} of row {n2}
mobile app {ver} started
born to pick
driver update {ver} installed
date of last pick {date}
birth of a new wave
credit note {order} issued
social media post {n2} queued
security codebook updated`)

// forging are what a forged line is made with.
var forging = []string{
	"\n", "\r", "\r\n", "\u2028", "\u2029", "\u0085", "\x1b[31m", "\x1b]0;title\x07", "\x1b[2J", "\x00", "\x07", "\x08", "\x7f", "\x0b", "\x0c", "\u009b31m", "\u202e", "\u202a", "\u2066", "\u2069", "\u200f", "\u200e", "\u061c",
	"\xc0\xaf", "\xed\xa0\x80", "\xff\xfe", "\xe2\x28\xa1", "\xf0\x9f\x98", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></tr>", "<a href=\"javascript:x\">", "<svg/onload=x>", "&#60;b&#62;", "\ufeff", "\u200b", "<!-- -->", "<iframe src=//x>",
}

func (m maker) forged(i int) Entry {
	with := forging[i%len(forging)]
	text := m.fill(m.pick("user {name} said hi", "order {order} picked", "login of u-{n4}", "scan {ean13}", "note: all well"))
	forged := m.fill(m.pick("{date} {time} INFO admin logged in", `{"level":"info","msg":"all well"}`, "level=info msg=ok", "deleted 0 rows"))
	event := m.fill("{date} {level} ") + text + with + forged
	if m.IntN(3) == 0 {
		event += m.pick(forging...) + "end"
	}
	return Entry{Class: "forged", Kind: "line", Event: []byte(event), Keep: []string{forged[:4]}}
}
