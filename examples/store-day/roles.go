package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// pickOrders is a picker's shift: lists in waves, picks in bursts.
func (d *device) pickOrders(until time.Time) {
	for d.wait(3 * time.Minute); d.now.Before(until); d.waitQuietly(24 * time.Minute) {
		d.pickList()
	}
}

func (d *device) pickList() {
	list := fmt.Sprintf("L%05d", d.between(1, 99999))
	about := &entity{"pick-list", list}
	orders := make([]string, d.between(1, 3))
	for i := range orders {
		orders[i] = d.order()
	}
	begun, done := d.now, pickListFinished{List: list}
	lines := d.between(9, 24)
	d.did("pick-list.started", 2, about, "", pickListStarted{
		List: list, Orders: orders, Lines: lines, Zone: pick(d.dice, []string{"ambient", "chilled", "mixed"}),
	})
	for n := 1; n <= lines; n++ {
		d.wait(21 * time.Second)
		order := orders[(n-1)*len(orders)/lines]
		switch d.IntN(30) {
		case 0:
			d.substitute(order, n)
			done.Substituted++
		case 1:
			d.short(order, n)
			done.Short++
		default:
			d.pickOne(order, n)
			done.Picked++
		}
	}
	d.wait(40 * time.Second)
	done.Seconds = int(d.now.Sub(begun) / time.Second)
	d.did("pick-list.finished", 2, about, "", done)
}

func (d *device) pickOne(order string, n int) {
	p := &catalogue[d.IntN(len(catalogue))]
	payload := pickCompleted{
		Order: order, Line: n, Product: productOf(p), Quantity: d.amount(p), Unit: p.unit,
		Location: fmt.Sprintf("%s-%02d", p.aisle, d.between(1, 12)),
	}
	if !d.one(7) {
		payload.Scan = &scan{Code: p.sku, Symbology: "EAN-13"}
		if p.chill {
			payload.Scan.Symbology, payload.Scan.BestBefore = "GS1-DataMatrix", d.bestBefore(4, 25)
		}
	}
	d.did("pick.completed", 3, &entity{"order", order}, "order/"+order, payload)
}

func (d *device) substitute(order string, n int) {
	p, other := &catalogue[d.IntN(len(catalogue))], &catalogue[d.IntN(len(catalogue))]
	d.did("pick.substituted", 2, &entity{"order", order}, "order/"+order, pickSubstituted{
		Order: order, Line: n, Ordered: productOf(p), Substitute: productOf(other), Quantity: d.amount(other),
		Difference: decimal(other.cents-p.cents, 2),
		Reason:     pick(d.dice, []string{"out-of-stock", "damaged", "customer-preference"}),
	})
}

func (d *device) short(order string, n int) {
	p := &catalogue[d.IntN(len(catalogue))]
	d.did("pick.short", 1, &entity{"order", order}, "order/"+order, pickShort{
		Order: order, Line: n, Product: productOf(p), Missing: d.amount(p),
		Note: pick(d.dice, []string{"", "", "Regal leer, Lieferung erst 14:30", "Palette steht noch im Kühlhaus 🧊", "label «ausverkauft»"}),
	})
}

func (d *device) amount(p *product) json.Number {
	units, digits := p.quantity(d.dice)
	if digits == 0 {
		return json.Number(fmt.Sprint(units))
	}
	return decimal(units, digits)
}

func (d *device) bestBefore(low, high int) string {
	return d.store.open.AddDate(0, 0, d.between(low, high)).Format(time.DateOnly)
}

// serve is a shift at the collection point: orders leave, goods come back.
func (d *device) serve(until time.Time) {
	for d.waitQuietly(11 * time.Minute); d.now.Before(until); d.waitQuietly(11 * time.Minute) {
		if d.one(6) {
			d.takeBack()
			continue
		}
		d.handOver()
	}
}

func (d *device) handOver() {
	order := d.order()
	payload := orderHandedOver{
		Order: order, Total: money{decimal(d.between(1890, 18900), 2), "EUR"}, Signature: "signature.png",
	}
	for n := range d.between(1, 6) {
		payload.Bags = append(payload.Bags, fmt.Sprintf("%s/%d", order, n+1))
	}
	if d.one(5) {
		yes := true
		payload.AgeChecked = &yes
	}
	if d.one(2) {
		payload.Position = &point{Bay: fmt.Sprintf("P%d", d.between(1, 8)), Accuracy: decimal(d.between(8, 95), 1)}
	}
	files := []attachment{d.file("image/png", "signature.png", 4_000, 28_000)}
	if d.one(8) {
		files = append(files, d.file("image/jpeg", "bags.jpg", 90_000, 900_000))
	}
	d.did("order.handed-over", 2, &entity{"order", order}, "order/"+order, payload, files...)
}

func (d *device) takeBack() {
	p := &catalogue[d.IntN(len(catalogue))]
	receipt := fmt.Sprintf("R-%s-%06d", d.store.number, d.between(1, 999999))
	d.did("return.accepted", 1, &entity{"receipt", receipt}, "", returnAccepted{
		Receipt: receipt, Product: productOf(p), Refund: money{decimal(p.cents*d.between(1, 3), 2), "EUR"},
		Reason: pick(d.dice, []string{"damaged", "wrong-item", "expired", "changed-mind"}), Resell: !p.chill && d.one(2),
	})
}

// receive is a shift at the dock: lorries in the morning, seldom later.
func (d *device) receive(until time.Time) {
	for d.now.Before(until) {
		d.waitQuietly(35 * time.Minute)
		for range d.between(1, 3) {
			d.wait(4 * time.Minute)
			d.delivery()
		}
		d.checkCabinets(2)
	}
}

func (d *device) delivery() {
	number := fmt.Sprintf("D%08d", d.between(1, 99999999))
	payload := goodsReceived{
		Delivery: number, Dock: d.between(1, 3), Damaged: d.one(9),
		Supplier: pick(d.dice, []string{"Molkerei Süd eG", "Früchte-Großmarkt", "Nordsee Fisch", "Zentrallager Łódź", "Bäckerei Grün & Söhne"}),
	}
	for range d.between(1, 2) {
		pallet := palletOfLots{SSCC: fmt.Sprintf("00340%015d", d.Int64N(1e15))}
		for range d.between(1, 4) {
			pallet.Lots = append(pallet.Lots, d.lot())
		}
		payload.Pallets = append(payload.Pallets, pallet)
	}
	var files []attachment
	if payload.Damaged {
		payload.Note = "Folie gerissen — Foto angehängt"
		files = append(files, d.file("image/jpeg", "dock.jpg", 120_000, 1_400_000))
	}
	d.did("goods.received", 1, &entity{"delivery", number}, "delivery/"+number, payload, files...)
}

func (d *device) lot() lot {
	p := &catalogue[d.IntN(len(catalogue))]
	l := lot{SKU: p.sku, Lot: fmt.Sprintf("%c%06d", 'A'+rune(d.IntN(26)), d.between(1, 999999)), Cases: d.between(1, 24), BestBefore: d.bestBefore(8, 400)}
	if p.chill {
		celsius := decimal(d.between(-5, 68), 1)
		l.Celsius = &celsius
	}
	return l
}

// walkTheFloor is a shift of counting, pricing and looking at thermometers.
func (d *device) walkTheFloor(until time.Time) {
	for round := 0; d.now.Before(until); round++ {
		switch round % 3 {
		case 0:
			d.checkCabinets(d.between(4, 9))
		case 1:
			d.count(d.between(5, 14))
		case 2:
			d.reprice(d.between(2, 8))
		}
		d.waitQuietly(22 * time.Minute)
	}
}

func (d *device) checkCabinets(n int) {
	for range n {
		d.wait(30 * time.Second)
		cabinet := fmt.Sprintf("K-%02d", d.between(1, 18))
		d.did("temperature.checked", 1, &entity{"cabinet", cabinet}, "cabinet/"+cabinet, d.temperature(cabinet))
	}
}

func (d *device) temperature(cabinet string) temperatureChecked {
	tenths := d.between(-8, 74)
	return temperatureChecked{Cabinet: cabinet, Celsius: decimal(tenths, 1), Limit: decimal(70, 1), OK: tenths <= 70}
}

func (d *device) count(n int) {
	for range n {
		d.wait(35 * time.Second)
		p := &catalogue[d.IntN(len(catalogue))]
		expected := d.between(0, 60)
		counted := max(0, expected+d.between(-2, 2))
		payload := stockCounted{
			Product: productOf(p), Location: fmt.Sprintf("%s-%02d", p.aisle, d.between(1, 12)), Unit: p.unit, Recount: d.one(10),
			Expected: json.Number(fmt.Sprint(expected)), Counted: json.Number(fmt.Sprint(counted)),
		}
		if p.unit == "kg" {
			payload.Expected, payload.Counted = decimal(expected*1000, 3), decimal(counted*1000+d.between(0, 999), 3)
		}
		d.did("stock.counted", 2, &entity{"product", p.sku}, "product/"+p.sku, payload)
	}
}

func (d *device) reprice(n int) {
	for range n {
		d.wait(50 * time.Second)
		p := &catalogue[d.IntN(len(catalogue))]
		d.did("price.changed", 1, &entity{"product", p.sku}, "product/"+p.sku, priceChanged{
			Product: productOf(p), From: decimal(p.cents, 2), To: decimal(max(1, p.cents*d.between(70, 115)/100), 2),
			Cause: pick(d.dice, []string{"promotion", "best-before", "head-office"}), Labels: d.between(1, 3),
		})
	}
}
