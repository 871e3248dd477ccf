package api

import "testing"

// An empty value is no filter: a script whose variable is empty must not give everything up.
func TestAFilterOfNothing(t *testing.T) {
	p := &recording{}
	_, h := newTestServer(t, p)
	for path, filter := range map[string]string{"/v1/deliveries/actions": `{"consumer":""}`, "/v1/quarantine/actions": `{"store":""}`} {
		w := do(t, h, "POST", path, `{"action":"give-up","filter":`+filter+`,"reason":"r"}`, "Content-Type", "application/json")
		if w.Code != 400 {
			t.Errorf("%s: %d %s", filter, w.Code, w.Body)
		}
	}
	if p.desk.calls > 0 {
		t.Errorf("it was done to everything: %+v", p.desk.deed)
	}
}
