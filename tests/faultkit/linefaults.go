package faultkit

// Refuse resets every connection, the open ones and those that come.
func (l *Line) Refuse(yes bool) {
	l.mu.Lock()
	l.refuse = yes
	l.mu.Unlock()
	if yes {
		l.Cut()
	}
}

// Hang lets nothing pass, in either direction, until Hang(false); connections are
// taken and stay. What was held back passes then.
func (l *Line) Hang(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if yes && l.held == nil {
		l.held = make(chan struct{})
	}
	if !yes && l.held != nil {
		close(l.held)
		l.held = nil
	}
}

// CutAfter resets each connection when n more octets went up on it; negative: none.
// Octets are those on the wire, counted from now, or from the connection's
// beginning when it is newer. On an SFTP line the handshake and the login are the
// first two or three thousand of them; [Line.Uploaded] of a good run tells how far
// cuts can go.
func (l *Line) CutAfter(n int64) { l.setCut(n, false) }

// CutOnceAfter is [Line.CutAfter] for the first connection that gets so far; those
// after it are whole.
func (l *Line) CutOnceAfter(n int64) { l.setCut(n, true) }

func (l *Line) setCut(n int64, once bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.once = n, once
	for one := range l.links {
		one.from = one.went
	}
}

// LoseAnswerWhen asks before every piece that goes back to a client; at the first
// yes the connection is reset instead, and nobody is asked again. What the server
// did is done, and the client does not know.
func (l *Line) LoseAnswerWhen(when func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = nil
	if when != nil {
		l.lose = &loss{when}
	}
}

type loss struct{ when func() bool }

// Slow lets so many octets a second go up on each connection; 0: no limit.
func (l *Line) Slow(bytesPerSecond int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = bytesPerSecond
}

// Cut resets every connection that is open.
func (l *Line) Cut() {
	for _, one := range l.open() {
		one.reset()
	}
}

// Cuts is how many connections were reset by CutAfter, CutOnceAfter and LoseAnswerWhen.
func (l *Line) Cuts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cuts
}

// Uploaded is how many octets went up on the newest connection.
func (l *Line) Uploaded() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newest == nil {
		return 0
	}
	return l.newest.went
}

// Heal undoes every fault of the line.
func (l *Line) Heal() {
	l.Refuse(false)
	l.Hang(false)
	l.CutAfter(-1)
	l.LoseAnswerWhen(nil)
	l.Slow(0)
}
