package prefetch

import (
	"errors"
	"maps"
)

// errUnread is the health of what was not refreshed yet.
var errUnread = errors.New("prefetch: not refreshed yet")

// Health is how the last refresh of each configured resource went, and of each file of Directory that can't be read;
// Directory itself is ".". nil is well. It never waits.
func (l *Library) Health() map[string]error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return maps.Clone(l.health)
}

// note remembers how a refresh went and tells of it: the log only when it goes otherwise than before.
func (l *Library) note(name string, outcome Outcome, err error) {
	log := l.cfg.Logger.WithField("resource", name)
	switch failedBefore := l.record(name, err); {
	case err != nil && !failedBefore:
		log.WithError(err).Warn("a prefetch resource can't be refreshed; what is held stays")
	case err == nil && failedBefore:
		log.Info("a prefetch resource can be refreshed again")
	case outcome == Fresh:
		log.Info("a prefetch resource has a new version")
	}
	l.cfg.Changed(name, outcome)
}

// well notes that a local file is as it was, of which only a recovery is worth a word.
func (l *Library) well(name string) {
	if l.record(name, nil) {
		l.cfg.Logger.WithField("resource", name).Info("a prefetch resource can be refreshed again")
	}
}

// record sets the health of a name, and says whether it was known to be bad before.
func (l *Library) record(name string, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.health[name]
	if _, configured := l.sources[name]; configured || err != nil {
		l.health[name] = err
	} else {
		delete(l.health, name)
	}
	return before != nil && !errors.Is(before, errUnread) && !errors.Is(before, errChanging)
}
