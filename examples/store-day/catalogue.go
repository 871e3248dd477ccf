package main

import "fmt"

// product is something the store sells.
type product struct {
	sku    string
	name   string
	aisle  string
	unit   string // each, or kg for what is weighed
	cents  int    // a unit's price
	chill  bool
	agelim int // years, 0: none
}

// catalogue is what the store sells; the names are in as many scripts as its shelves.
var catalogue = func() []product {
	all := []product{
		{name: "Crème fraîche 30 %", aisle: "D2", cents: 129, chill: true},
		{name: "Vollmilch 3,8 % 1 l", aisle: "D1", cents: 139, chill: true},
		{name: "Butter, mildgesäuert", aisle: "D1", cents: 229, chill: true},
		{name: "Comté AOP 18 mois", aisle: "D4", unit: "kg", cents: 2890, chill: true},
		{name: "Skyr «natur» 450 g", aisle: "D3", cents: 199, chill: true},
		{name: "Lachsfilet, ASC", aisle: "F1", unit: "kg", cents: 2799, chill: true},
		{name: "Hähnchenbrust", aisle: "F2", unit: "kg", cents: 1449, chill: true},
		{name: "Żurek 400 ml", aisle: "C3", cents: 349},
		{name: "Smørrebrød-Brot", aisle: "B1", cents: 279},
		{name: "Baguette de tradition", aisle: "B1", cents: 159},
		{name: "Äpfel Braeburn", aisle: "A1", unit: "kg", cents: 299},
		{name: "Bananen, Fairtrade", aisle: "A1", unit: "kg", cents: 199},
		{name: "Jalapeños", aisle: "A2", unit: "kg", cents: 899},
		{name: "Rispentomaten", aisle: "A2", unit: "kg", cents: 379},
		{name: "Pak Choi 小白菜", aisle: "A3", cents: 249},
		{name: "Zwiebeln 2 kg", aisle: "A3", cents: 259},
		{name: "Kartoffeln, festkochend 2,5 kg", aisle: "A3", cents: 349},
		{name: "日本酒 純米 720 ml", aisle: "W2", cents: 1890, agelim: 18},
		{name: "Rioja Reserva 2019", aisle: "W1", cents: 1149, agelim: 16},
		{name: "Weißbier 0,5 l", aisle: "W3", cents: 119, agelim: 16},
		{name: "Mineralwasser 6×1,5 l", aisle: "G1", cents: 294},
		{name: "Apfelschorle 1 l", aisle: "G1", cents: 109},
		{name: "Jasmin-Reis ข้าวหอมมะลิ 1 kg", aisle: "C1", cents: 329},
		{name: "Basmati باسمتی 1 kg", aisle: "C1", cents: 379},
		{name: "Spaghetti n° 5", aisle: "C2", cents: 179},
		{name: "Passierte Tomaten", aisle: "C2", cents: 99},
		{name: "Olivenöl «extra vergine» 750 ml", aisle: "C4", cents: 899},
		{name: "Φέτα ΠΟΠ 200 g", aisle: "D4", cents: 329, chill: true},
		{name: "Hummus חומוס 200 g", aisle: "D5", cents: 249, chill: true},
		{name: "Tofu 豆腐 400 g", aisle: "D5", cents: 279, chill: true},
		{name: "Kaffeebohnen 1 kg", aisle: "C5", cents: 1399},
		{name: "Чай «Иван-чай» 50 g", aisle: "C5", cents: 459},
		{name: "Haferdrink \"Barista\" 1 l", aisle: "C6", cents: 219},
		{name: "Müsli, Nüsse & Früchte", aisle: "C6", cents: 449},
		{name: "Zartbitterschokolade 85 %", aisle: "C7", cents: 199},
		{name: "Toilettenpapier 3-lagig, 8×150", aisle: "H1", cents: 395},
		{name: "Spülmittel 500 ml", aisle: "H1", cents: 145},
		{name: "Waschmittel 1,35 l", aisle: "H2", cents: 699},
		{name: "Windeln Größe 4, 42 St.", aisle: "H3", cents: 1095},
		{name: "Tiefkühl-Erbsen 750 g", aisle: "T1", cents: 249, chill: true},
		{name: "Pizza Margherita", aisle: "T2", cents: 299, chill: true},
		{name: "Vanilleeis 1 l", aisle: "T3", cents: 349, chill: true},
	}
	for i := range all {
		all[i].sku = fmt.Sprintf("40%011d", 26150000+i*173)
		if all[i].unit == "" {
			all[i].unit = "each"
		}
	}
	return all
}()

// quantity of a product that one order line asks for, and its decimals.
func (p *product) quantity(d dice) (units, digits int) {
	if p.unit == "kg" {
		return d.between(150, 2400), 3
	}
	return min(d.between(1, 4), d.between(1, 6)), 0
}
