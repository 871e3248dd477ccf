package main

import "encoding/json"

// The payloads, one for each schema in schemas/.

type shiftStarted struct {
	Role     string `json:"role"`
	Battery  int    `json:"batteryPercent"`
	Language string `json:"language"`
}

type shiftEnded struct {
	Transactions int `json:"transactions"`
	Battery      int `json:"batteryPercent"`
}

type shownProduct struct {
	SKU  string `json:"sku"`
	Name string `json:"name"`
}

func productOf(p *product) shownProduct { return shownProduct{p.sku, p.name} }

type pickListStarted struct {
	List   string   `json:"list"`
	Orders []string `json:"orders"`
	Lines  int      `json:"lines"`
	Zone   string   `json:"zone"`
}

type pickListFinished struct {
	List        string `json:"list"`
	Picked      int    `json:"picked"`
	Substituted int    `json:"substituted"`
	Short       int    `json:"short"`
	Seconds     int    `json:"seconds"`
}

type pickCompleted struct {
	Order    string       `json:"order"`
	Line     int          `json:"line"`
	Product  shownProduct `json:"product"`
	Quantity json.Number  `json:"quantity"`
	Unit     string       `json:"unit"`
	Location string       `json:"location"`
	Scan     *scan        `json:"scan,omitempty"`
}

type scan struct {
	Code       string `json:"code"`
	Symbology  string `json:"symbology"`
	BestBefore string `json:"bestBefore,omitempty"`
}

type pickSubstituted struct {
	Order      string       `json:"order"`
	Line       int          `json:"line"`
	Ordered    shownProduct `json:"ordered"`
	Substitute shownProduct `json:"substitute"`
	Quantity   json.Number  `json:"quantity"`
	Difference json.Number  `json:"priceDifference"`
	Reason     string       `json:"reason"`
}

type pickShort struct {
	Order   string       `json:"order"`
	Line    int          `json:"line"`
	Product shownProduct `json:"product"`
	Missing json.Number  `json:"missing"`
	Note    string       `json:"note,omitempty"`
}

type goodsReceived struct {
	Delivery string         `json:"delivery"`
	Supplier string         `json:"supplier"`
	Dock     int            `json:"dock"`
	Pallets  []palletOfLots `json:"pallets"`
	Damaged  bool           `json:"damaged"`
	Note     string         `json:"note,omitempty"`
}

type palletOfLots struct {
	SSCC string `json:"sscc"`
	Lots []lot  `json:"lots"`
}

type lot struct {
	SKU        string       `json:"sku"`
	Lot        string       `json:"lot"`
	Cases      int          `json:"cases"`
	BestBefore string       `json:"bestBefore"`
	Celsius    *json.Number `json:"celsius"` // null for what is not cooled
}

type stockCounted struct {
	Product  shownProduct `json:"product"`
	Location string       `json:"location"`
	Expected json.Number  `json:"expected"`
	Counted  json.Number  `json:"counted"`
	Unit     string       `json:"unit"`
	Recount  bool         `json:"recount"`
}

type priceChanged struct {
	Product shownProduct `json:"product"`
	From    json.Number  `json:"from"`
	To      json.Number  `json:"to"`
	Cause   string       `json:"cause"`
	Labels  int          `json:"labels"`
}

type returnAccepted struct {
	Receipt string       `json:"receipt"`
	Product shownProduct `json:"product"`
	Refund  money        `json:"refund"`
	Reason  string       `json:"reason"`
	Resell  bool         `json:"resell"`
}

type money struct {
	Amount   json.Number `json:"amount"`
	Currency string      `json:"currency"`
}

type orderHandedOver struct {
	Order      string   `json:"order"`
	Bags       []string `json:"bags"`
	Total      money    `json:"total"`
	AgeChecked *bool    `json:"ageChecked,omitempty"`
	Signature  string   `json:"signature"` // the attachment's name
	Position   *point   `json:"position,omitempty"`
}

type point struct {
	Bay      string      `json:"bay"`
	Accuracy json.Number `json:"accuracyMetres"`
}

type temperatureChecked struct {
	Cabinet string      `json:"cabinet"`
	Celsius json.Number `json:"celsius"`
	Limit   json.Number `json:"limit"`
	OK      bool        `json:"ok"`
}
