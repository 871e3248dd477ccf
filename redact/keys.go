package redact

import "slices"

// kind is what a name says about the value beside it.
type kind uint8

const (
	kindNone    kind = iota
	kindSecret       // password, token, key …: any value
	kindOwn          // of the configuration: any value, however short
	kindHeader       // Authorization: a scheme and a token
	kindCookie       // Cookie, Set-Cookie: to the end of the pairs
	kindCard         // digits, the last four kept
	kindCVV          // 3 or 4 digits
	kindPIN          // 4 to 12 digits
	kindSSN          // 9 digits
	kindAccount      // 4 to 17 digits, or an IBAN
	kindRouting      // 6 to 9 digits
	kindPhone        // 7 to 15 digits
	kindEmail        // something with an @
	kindBirth        // a date
	kindPapers       // a licence's or passport's number
	kindBarcode      // a number that is none of these
	kindName         // name, key, field: its value is a name itself
	kindValue        // value: of the name before
	kindFiller       // number, is, of: between a name and its value
)

// secret says of kinds whose value is masked whatever it is.
func (k kind) secret() bool { return k == kindSecret || k == kindOwn }

// personal says of kinds whose values are found in prose as well.
func (k kind) personal() bool { return k >= kindCard && k <= kindPapers }

// masks says of kinds that have something to hide.
func (k kind) masks() bool { return k >= kindSecret && k <= kindPapers }

// wholeWords count when they are the last word of a name: user_pin, userPin, pin.
var wholeWords = map[string]kind{
	"pwd": kindSecret, "pass": kindSecret, "pw": kindSecret, "passwd": kindSecret, "psw": kindSecret, "pswd": kindSecret, "pword": kindSecret,
	"secret": kindSecret, "token": kindSecret, "jwt": kindSecret, "otp": kindSecret, "totp": kindSecret, "sig": kindSecret, "hmac": kindSecret,
	"credential": kindSecret, "credentials": kindSecret, "creds": kindSecret, "cred": kindSecret, "bearer": kindSecret, "sas": kindSecret,
	"signature": kindSecret, "signature256": kindSecret, "mnemonic": kindSecret, "seedphrase": kindSecret, "clave": kindSecret, "senha": kindSecret, "kennwort": kindSecret,
	"motdepasse": kindSecret, "csrf": kindSecret, "xsrf": kindSecret, "sid": kindNone, "phpsessid": kindSecret, "connectsid": kindSecret,
	"dsn": kindNone, "apikey": kindSecret, "xapikey": kindSecret, "authkey": kindSecret, "passcode": kindSecret, "pat": kindNone,
	"authorization": kindHeader,
	"cookie":        kindCookie, "cookies": kindCookie, "setcookie": kindCookie, "cookie2": kindCookie,
	"pin": kindPIN, "pincode": kindPIN, "mpin": kindPIN,
	"cvv": kindCVV, "cvc": kindCVV, "cvv2": kindCVV, "cvc2": kindCVV, "csc": kindCVV, "cid": kindNone, "cvn": kindCVV, "cav2": kindCVV, "securitycode": kindCVV,
	"ssn": kindSSN, "itin": kindSSN, "tin": kindSSN, "ssnitin": kindSSN, "socialsecurity": kindSSN, "socsec": kindSSN, "taxid": kindSSN, "taxpayerid": kindSSN,
	"pan": kindCard, "ccn": kindCard, "cc": kindCard, "ccnum": kindCard, "card": kindCard, "creditcard": kindCard, "debitcard": kindCard, "cardnum": kindCard,
	"iban": kindAccount, "acct": kindAccount, "account": kindAccount, "bankaccount": kindAccount, "bban": kindAccount, "konto": kindAccount, "kontonummer": kindAccount,
	"aba": kindRouting, "routing": kindRouting, "sortcode": kindRouting, "rtn": kindRouting, "bankrouting": kindRouting, "abartn": kindRouting, "blz": kindRouting,
	"phone": kindPhone, "tel": kindPhone, "telephone": kindPhone, "mobile": kindPhone, "cell": kindPhone, "cellphone": kindPhone, "fax": kindPhone,
	"msisdn": kindPhone, "telefon": kindPhone, "handy": kindPhone, "phonenumber": kindPhone, "telefono": kindPhone, "sms": kindPhone, "whatsapp": kindPhone,
	"email": kindEmail, "mail": kindEmail,
	"dob": kindBirth, "birth": kindBirth, "birthday": kindBirth, "birthdate": kindBirth, "born": kindBirth, "bday": kindBirth, "dateofbirth": kindBirth, "geburtsdatum": kindBirth,
	"birthdt": kindBirth, "yob": kindNone, "geboren": kindBirth, "nacimiento": kindBirth, "naissance": kindBirth,
	"passport": kindPapers, "licence": kindPapers, "license": kindPapers, "dl": kindPapers, "dln": kindPapers, "driverslicense": kindPapers, "reisepass": kindPapers, "führerschein": kindPapers,
	"ean": kindBarcode, "ean8": kindBarcode, "ean13": kindBarcode, "upc": kindBarcode, "gtin": kindBarcode, "gtin14": kindBarcode, "gtin13": kindBarcode, "barcode": kindBarcode, "sscc": kindBarcode, "itf": kindBarcode,
	"isbn": kindBarcode, "imei": kindBarcode, "tracking": kindBarcode, "lsn": kindBarcode, "timestamp": kindBarcode, "ts": kindBarcode, "itf14": kindBarcode, "upca": kindBarcode, "isbn13": kindBarcode, "isbn10": kindBarcode, "issn": kindBarcode,
	"sku": kindBarcode, "serial": kindBarcode, "trackingnumber": kindBarcode, "asin": kindBarcode, "order": kindBarcode, "invoice": kindBarcode, "orderid": kindBarcode, "seq": kindBarcode,
	"name": kindName, "key": kindName, "field": kindName, "param": kindName, "parameter": kindName, "header": kindName, "variable": kindName, "env": kindName, "property": kindName, "attribute": kindName, "column": kindName, "label": kindName, "k": kindName,
	"value": kindValue, "val": kindValue, "v": kindValue, "content": kindValue, "data": kindValue, "default": kindValue,
	"number": kindFiller, "num": kindFiller, "no": kindFiller, "nr": kindFiller, "is": kindFiller, "was": kindFiller, "of": kindFiller, "on": kindFiller, "ending": kindFiller, "for": kindFiller, "as": kindFiller, "the": kindFiller, "date": kindFiller, "at": kindFiller, "and": kindFiller, "to": kindFiller, "with": kindFiller, "in": kindFiller, "customer": kindFiller, "a": kindFiller, "her": kindFiller, "his": kindFiller, "my": kindFiller, "your": kindFiller, "their": kindFiller, "id": kindFiller, "using": kindFiller, "from": kindFiller, "provided": kindFiller, "entered": kindFiller, "expires": kindFiller, "state": kindFiller,
}

// endings count when a joined name ends with them, whatever stands before: dbpassword.
var endings = map[string]kind{
	"password": kindSecret, "passwort": kindSecret, "passphrase": kindSecret, "passwd": kindSecret, "contraseña": kindSecret, "userpwd": kindSecret, "dbpwd": kindSecret,
	"clientsecret": kindSecret, "sharedsecret": kindSecret, "appsecret": kindSecret, "apisecret": kindSecret, "webhooksecret": kindSecret, "consumersecret": kindSecret, "signingsecret": kindSecret,
	"accesstoken": kindSecret, "refreshtoken": kindSecret, "idtoken": kindSecret, "authtoken": kindSecret, "sessiontoken": kindSecret, "securitytoken": kindSecret, "bearertoken": kindSecret, "csrftoken": kindSecret, "xsrftoken": kindSecret, "apitoken": kindSecret, "devicetoken": kindSecret, "pushtoken": kindSecret, "usertoken": kindSecret, "resettoken": kindSecret, "bottoken": kindSecret, "deploytoken": kindSecret,
	"apikey": kindSecret, "secretkey": kindSecret, "privatekey": kindSecret, "accesskey": kindSecret, "authkey": kindSecret, "signingkey": kindSecret, "encryptionkey": kindSecret, "masterkey": kindSecret,
	"accountkey": kindSecret, "sharedkey": kindSecret, "storagekey": kindSecret, "servicekey": kindSecret, "clientkey": kindSecret, "sshkey": kindSecret, "decryptionkey": kindSecret, "hmackey": kindSecret, "deploykey": kindSecret, "appkey": kindSecret, "aeskey": kindSecret, "rsakey": kindSecret, "licensekey": kindSecret, "licencekey": kindSecret, "cryptkey": kindSecret, "symmetrickey": kindSecret, "webhookkey": kindSecret, "functionkey": kindSecret, "hostkey": kindNone, "subscriptionkey": kindSecret, "sessionkey": kindSecret, "wepkey": kindSecret, "sharedaccesskey": kindSecret, "recoverykey": kindSecret, "presharedkey": kindSecret, "backupkey": kindSecret,
	"accesskeyid": kindSecret, "awsaccesskeyid": kindSecret, "amzcredential": kindSecret, "googcredential": kindSecret, "sessioncookie": kindSecret, "sessiontok": kindSecret, "authcookie": kindSecret, "recoverycode": kindSecret, "backupcode": kindSecret, "onetimecode": kindSecret, "verificationcode": kindSecret, "authcode": kindSecret, "mfacode": kindSecret, "totpcode": kindSecret, "otpcode": kindSecret, "twofactorcode": kindSecret, "onetimepassword": kindSecret, "connectionstring": kindNone, "authorizationcode": kindSecret, "codeverifier": kindSecret, "securityanswer": kindSecret, "hubsignature": kindSecret, "signaturekey": kindSecret, "seedphrase": kindSecret, "unlockcode": kindSecret, "accesscode": kindSecret,
	"proxyauthorization": kindHeader, "authorization": kindHeader, "setcookie": kindCookie,
	"creditcard": kindCard, "cardnumber": kindCard, "cardnum": kindCard, "cardno": kindCard, "primaryaccountnumber": kindCard, "ccnumber": kindCard, "debitcard": kindCard, "paymentcard": kindCard,
	"socialsecurity": kindSSN, "taxid": kindSSN, "taxpayerid": kindSSN, "socialinsurance": kindSSN, "socialsec": kindSSN, "taxpayeridentification": kindSSN, "ssnitin": kindSSN, "taxidentification": kindSSN, "nationalid": kindSSN, "taxnumber": kindSSN,
	"securitycode": kindCVV, "cardcode": kindCVV, "verificationvalue": kindCVV, "cardverification": kindCVV, "cvvcode": kindCVV, "cvccode": kindCVV, "cvvnumber": kindCVV,
	"accountnumber": kindAccount, "acctnumber": kindAccount, "accountno": kindAccount, "acctno": kindAccount, "acctnum": kindAccount, "accountnum": kindAccount, "bankaccount": kindAccount, "accountnr": kindAccount, "checkingaccount": kindAccount, "savingsaccount": kindAccount, "bankacct": kindAccount, "depositaccount": kindAccount,
	"routingnumber": kindRouting, "routingno": kindRouting, "abanumber": kindRouting, "routingnum": kindRouting, "sortcode": kindRouting, "bankrouting": kindRouting, "transitnumber": kindRouting, "bankcode": kindRouting,
	"phonenumber": kindPhone, "mobilenumber": kindPhone, "telephone": kindPhone, "phoneno": kindPhone, "cellphone": kindPhone, "faxnumber": kindPhone, "mobileno": kindPhone, "homephone": kindPhone, "workphone": kindPhone, "mobilephone": kindPhone, "telefonnummer": kindPhone, "callerid": kindPhone,
	"dateofbirth": kindBirth, "birthdate": kindBirth, "birthday": kindBirth, "birthdt": kindBirth, "birthdatum": kindBirth, "datebirth": kindBirth,
	"driverslicense": kindPapers, "driverslicence": kindPapers, "driverlicense": kindPapers, "driverlicence": kindPapers, "drivinglicence": kindPapers, "drivinglicense": kindPapers, "passport": kindPapers, "licensenumber": kindPapers, "licencenumber": kindPapers, "licenseno": kindPapers, "licenceno": kindPapers, "driverslic": kindPapers, "passportno": kindPapers, "passportnumber": kindPapers, "driverlic": kindPapers,
	"barcode": kindBarcode, "tracking": kindBarcode, "sessionid": kindNone, "jsessionid": kindSecret, "aspnetsessionid": kindSecret, "correlationid": kindNone, "idempotencykey": kindNone, "accountid": kindNone, "publickey": kindNone,
}

// trailing words say nothing about the value: passwordHash, token_value, ssn-number.
var trailing = map[string]bool{
	"value": true, "plain": true, "plaintext": true, "hash": true, "hashed": true, "old": true, "new": true, "confirm": true, "confirmation": true, "again": true,
	"repeat": true, "current": true, "enc": true, "encrypted": true, "raw": true, "str": true, "string": true, "header": true, "base64": true, "b64": true, "hex": true, "text": true,
	"number": true, "num": true, "no": true, "nr": true, "1": true, "2": true, "3": true, "256": true, "nbr": true, "prev": true, "pem": true, "s": true,
}

// maxKey bounds the length of a name.
const maxKey = 64

// words are the parts of a name: split at what is no letter or digit and between
// aB; joined is all of them in lower case.
type words struct {
	joined [maxKey]byte
	n      int
	starts [16]int8
	count  int
}

// joinKey appends the letters and digits of a name in lower case.
func joinKey(dst, name []byte) []byte {
	for _, c := range name {
		if isAlnum(c) || c >= 0x80 {
			dst = append(dst, lower(c))
		}
	}
	return dst
}

// add appends a name's parts; false when it is too long.
func (w *words) add(name []byte) bool {
	fresh := true
	for i, c := range name {
		if !isAlnum(c) && c < 0x80 {
			fresh = true
			continue
		}
		if i > 0 && isUpper(c) && (isLower(name[i-1]) || isDigit(name[i-1]) || i+1 < len(name) && isUpper(name[i-1]) && isLower(name[i+1])) {
			fresh = true
		}
		if w.n == maxKey {
			return false
		}
		if fresh && w.count < len(w.starts) {
			w.starts[w.count] = int8(w.n)
			w.count++
		}
		fresh = false
		w.joined[w.n] = lower(c)
		w.n++
	}
	return true
}

// last is the last part.
func (w *words) last() []byte { return w.joined[w.starts[w.count-1]:w.n] }

// drop takes the last part off.
func (w *words) drop() {
	w.count--
	w.n = int(w.starts[w.count])
}

// classify says what a name of one or more parts stands for.
func (s *Scanner) classify(w *words) kind {
	if w.count == 0 {
		return kindNone
	}
	if k, known := s.meaning(w); known {
		return k
	}
	for w.count > 1 && trailing[string(w.last())] {
		w.drop()
		if k, known := s.meaning(w); known {
			return k
		}
	}
	// password1, token2
	for w.n > int(w.starts[w.count-1])+3 && isDigit(w.joined[w.n-1]) {
		w.n--
		if k, known := s.meaning(w); known {
			return k
		}
	}
	return kindNone
}

func (s *Scanner) meaning(w *words) (kind, bool) {
	joined := w.joined[:w.n]
	if len(s.keys) > 0 {
		for i := range joined {
			if k, ok := s.keys[string(joined[i:])]; ok {
				return k, true
			}
		}
	}
	if k, ok := ending(joined); ok {
		return k, true
	}
	if k, ok := wholeWords[string(joined)]; ok {
		return k, true
	}
	if w.count == 1 {
		return kindNone, false
	}
	switch k, ok := wholeWords[string(w.last())]; {
	case !ok, k == kindFiller:
		return kindNone, false
	case k == kindName || k == kindValue:
		return kindNone, false // orderKey, byteValue
	case k == kindHeader:
		return kindNone, false
	default:
		return k, true
	}
}

// endingsBy leads from the last four bytes to the endings, the longest first.
var endingsBy = map[uint32][]string{}

func init() {
	for text := range endings {
		x := fold4([]byte(text[len(text)-4:]))
		endingsBy[x] = append(endingsBy[x], text)
	}
	for _, texts := range endingsBy {
		slices.SortFunc(texts, func(a, b string) int { return len(b) - len(a) })
	}
}

func ending(joined []byte) (kind, bool) {
	if len(joined) < 5 {
		return kindNone, false
	}
	for _, text := range endingsBy[fold4(joined[len(joined)-4:])] {
		if len(joined) >= len(text) && string(joined[len(joined)-len(text):]) == text {
			return endings[text], true
		}
	}
	return kindNone, false
}
