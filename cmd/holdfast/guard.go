//go:build unix

package main

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// guardStderr puts the filter of holdfast redact behind file descriptor 2, where the Go
// runtime writes what it has to say when the program dies, which no logger sees: a
// process of its own, since it has to outlive this one. It answers what the error
// output was before, for the program's own log, which is masked already.
func guardStderr(options ...string) (*os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	fd, err := unix.Dup(2)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	before := os.NewFile(uintptr(fd), "stderr")
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	defer w.Close()
	filter := exec.Command(self, append([]string{"redact"}, options...)...) //nolint:gosec,noctx // this program; it ends with the pipe
	filter.Stdin, filter.Stdout, filter.Stderr = r, before, before
	filter.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's ^C is for us
	if err := filter.Start(); err != nil {
		return nil, err
	}
	go func() { _ = filter.Wait() }()
	signal.Ignore(syscall.SIGPIPE) // without the filter, what is written there is lost, not the program
	if err := unix.Dup2(int(w.Fd()), 2); err != nil {
		return nil, err
	}
	return before, nil
}
