package testserver

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Program is a server of another package's. Like those of this package it dies
// with us, and it runs as us.
type Program struct{ process *process }

// StartProgram starts one; path is absolute.
func StartProgram(path string, args ...string) (*Program, error) {
	p, err := start(nil, syscall.SIGKILL, path, args...)
	if err != nil {
		return nil, err
	}
	return &Program{p}, nil
}

// FreePort is a loopback port that nobody listened on a moment ago.
func FreePort(tb testing.TB) int {
	tb.Helper()
	return freePort(tb)
}

// Await asks until ready says yes, the program ends, or half a minute is over.
func (p *Program) Await(ready func() error) error { return p.process.await(ready) }

// Log is what the program has written so far.
func (p *Program) Log() string { return p.process.log.String() }

// Kill is kill -9 of the program and of everything it started, in whatever
// session or group that is; it returns when the program is gone.
func (p *Program) Kill() {
	select {
	case <-p.process.exited:
		return
	default:
	}
	pid := p.process.cmd.Process.Pid
	p.process.signal(syscall.SIGSTOP) // so that it starts nothing meanwhile
	for _, one := range descendants(pid) {
		_ = syscall.Kill(one, syscall.SIGKILL)
	}
	p.process.signal(syscall.SIGKILL)
	<-p.process.exited
}

// KillChildren is kill -9 of everything the program started; it goes on itself.
func (p *Program) KillChildren() {
	for _, one := range descendants(p.process.cmd.Process.Pid) {
		_ = syscall.Kill(one, syscall.SIGKILL)
	}
}

// descendants are the children and theirs, the nearest first.
func descendants(pid int) (all []int) {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		for _, word := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				continue
			}
			all = append(all, child)
			all = append(all, descendants(child)...)
		}
	}
	return all
}
