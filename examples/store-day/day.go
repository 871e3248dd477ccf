package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// roles of the devices of a store, in order; more devices begin again.
var roles = []func(*device, time.Time){
	(*device).pickOrders, (*device).pickOrders, (*device).serve, (*device).pickOrders, (*device).receive,
	(*device).pickOrders, (*device).walkTheFloor, (*device).pickOrders, (*device).serve,
}

// writeDay writes the lines of all devices of all stores, by time.
func writeDay(w io.Writer, o options) error {
	var lines []line
	for s := range o.stores {
		shop := newStore(o, s)
		for n := range o.devices {
			d := newDevice(o, shop, n+1)
			d.work(roles[n%len(roles)], n)
			lines = append(lines, d.lines...)
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	return write(w, lines)
}

func write(w io.Writer, lines []line) error {
	for i := range lines {
		text, err := lines[i].encode()
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// work is an early and a late shift, by two associates.
func (d *device) work(role func(*device, time.Time), number int) {
	middle := d.store.open.Add(7*time.Hour + 30*time.Minute)
	for shift, until := range []time.Time{middle, d.store.close} {
		d.now = []time.Time{d.store.open, middle.Add(5 * time.Minute)}[shift].Add(d.about(6 * time.Minute))
		d.user = fmt.Sprintf("a%s%02d%d", d.store.number, number+1, shift+1)
		d.session = d.uuid(d.now).String()
		d.did("shift.started", 1, &entity{"associate", d.user}, "", shiftStarted{
			Role: roleName(number), Battery: d.between(62, 100), Language: pick(d.dice, []string{"de", "de", "en", "pl", "tr"}),
		})
		started := len(d.lines)
		role(d, until)
		d.wait(2 * time.Minute)
		d.did("shift.ended", 1, &entity{"associate", d.user}, "", shiftEnded{
			Transactions: len(d.lines) - started, Battery: d.between(8, 60),
		})
	}
}

func roleName(number int) string {
	return []string{"picker", "picker", "service", "picker", "dock", "picker", "floor", "picker", "service"}[number%len(roles)]
}

// rush is how much busier than usual an hour is: before lunch and after work.
func (d *device) rush() float64 {
	switch hour := d.now.Hour(); {
	case hour == 11, hour == 12:
		return 1.7
	case hour >= 16 && hour <= 18:
		return 2
	case hour < 8:
		return 0.7
	}
	return 1
}

// waitQuietly waits less when the store is busy.
func (d *device) waitQuietly(mean time.Duration) {
	d.wait(time.Duration(float64(mean) / d.rush()))
}

// order is the number of a customer's order of today.
func (d *device) order() string {
	return fmt.Sprintf("%s-%s-%04d", d.store.number, strings.ToUpper(d.store.open.Format("0102")), d.between(1, 480))
}

// writeBad writes three transactions of a device whose app is too old: the
// first two break their schemas, the third one is good.
func writeBad(w io.Writer, o options) error {
	d := newDevice(o, newStore(o, 0), 99)
	d.now, d.user, d.app = d.store.open.Add(3*time.Hour), "a0042991", "3.9.1"
	d.session = d.uuid(d.now).String()
	p := &catalogue[0]
	d.did("pick.completed", 3, &entity{"order", "0042-1120-0007"}, "order/0042-1120-0007", map[string]any{
		"order": "0042-1120-0007", "line": 1, "product": productOf(p), "quantity": -2, "unit": "each", "location": p.aisle + "-04",
	})
	d.wait(time.Minute)
	d.did("temperature.checked", 1, &entity{"cabinet", "K-03"}, "cabinet/K-03", map[string]any{
		"cabinet": "K-03", "celsius": "four", "limit": decimal(70, 1), "ok": true,
	})
	d.wait(time.Minute)
	d.did("temperature.checked", 1, &entity{"cabinet", "K-04"}, "cabinet/K-04", d.temperature("K-04"))
	return write(w, d.lines)
}
