package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// A plan holds planAtOnce transactions, but never a part of a batch; without consumers passOver are passed over at once.
const (
	planAtOnce = 256
	passOver   = 20_000
)

// header is what a plan reads of a transaction.
type header struct{ Type, OrderKey, EntityType, EntityID string }

// members are those of a JSON object, by their exact names: encoding/json fills the fields of a struct from names in any
// case, and a client could hide a second payload behind the one that was checked.
type members map[string]json.RawMessage

func membersOf(text []byte) (m members) {
	_ = json.Unmarshal(text, &m) // intake has read it before
	return m
}

// text is a member that is a text; empty when it is not there or none.
func (m members) text(name string) (s string) {
	_ = json.Unmarshal(m[name], &s)
	return s
}

func headerOf(raw []byte) header {
	m := membersOf(raw)
	entity := membersOf(m["entity"])
	return header{m.text("type"), m.text("orderKey"), entity.text("type"), entity.text("id")}
}

// lane names what a delivery stays in order with.
func lane(order Order, t *store.LoggedTransaction, h *header) (l holdfast.Lane) {
	var key string
	switch {
	case order == OrderNone:
		key = "transaction\x00" + t.Stream.String() + "\x00" + t.ID.String()
	case order == OrderKey && h.OrderKey != "":
		key = "key\x00" + h.OrderKey
	case order == OrderKey && h.EntityID != "":
		key = "entity\x00" + strconv.Itoa(len(h.EntityType)) + "\x00" + h.EntityType + h.EntityID
	default:
		key = "stream\x00" + t.Stream.String()
	}
	sum := sha256.Sum256([]byte(key))
	copy(l[:], sum[:])
	return l
}

// deliveries of a transaction.
func (g graph) deliveries(t *store.LoggedTransaction) []holdfast.Delivery {
	h := headerOf(t.Raw)
	var wanted []string
	for i := range g {
		if g[i].wants(h.Type, t.Shop) {
			wanted = append(wanted, g[i].Name)
		}
	}
	status := holdfast.DeliveryWaiting
	if t.Problem != nil {
		status = holdfast.DeliveryQuarantined
	}
	var all []holdfast.Delivery
	for i := range g {
		c := &g[i]
		if !c.wants(h.Type, t.Shop) {
			continue
		}
		all = append(all, holdfast.Delivery{
			Stream: t.Stream, Seq: t.Seq, Transaction: t.ID, Type: h.Type, Shop: t.Shop, Consumer: c.Name,
			Lane: lane(c.Order, t, &h), After: common(c.After, wanted), Status: status,
		})
	}
	return all
}

// common are those of a that are in b.
func common(a, b []string) (both []string) {
	for _, one := range a {
		for _, other := range b {
			if one == other {
				both = append(both, one)
			}
		}
	}
	return both
}

// plan makes plans until the log has been read; it says whether there were any.
func (m *Machine) plan(ctx context.Context) error {
	for ctx.Err() == nil {
		g := *m.graph.Load()
		most := planAtOnce
		if len(g) == 0 {
			most = passOver
		}
		page, err := m.cfg.Store.Unplanned(ctx, most, len(g) > 0)
		if err != nil {
			return err
		}
		if page.To == page.From {
			return nil
		}
		p := store.Plan{From: page.From, To: page.To}
		for i := range page.Transactions {
			t := &page.Transactions[i]
			p.Deliveries = append(p.Deliveries, g.deliveries(t)...)
			if t.Problem != nil {
				p.Changes = append(p.Changes, quarantined(t))
			}
		}
		switch err := m.cfg.Store.SavePlan(ctx, p); {
		case errors.Is(err, store.ErrConflict): // another node was faster
		case err != nil:
			return err
		default:
			m.planned(&p)
		}
	}
	return ctx.Err()
}

// quarantined is what the device hears of it.
func quarantined(t *store.LoggedTransaction) holdfast.Change {
	var problem struct{ Code string }
	_ = json.Unmarshal(t.Problem, &problem) // its own members tell nothing then
	return holdfast.Change{Kind: holdfast.ChangeQuarantined, Stream: t.Stream, Seq: t.Seq, Transaction: t.ID, Code: problem.Code, Body: t.Problem}
}

// planned wakes who has something to do.
func (m *Machine) planned(p *store.Plan) {
	if len(p.Deliveries) > 0 {
		m.wakePools()
	}
	m.tellChanges(p.Changes)
}
