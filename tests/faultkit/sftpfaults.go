package faultkit

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// sessionFaults are those that sftp-server has when a session begins.
type sessionFaults struct {
	readOnly bool
	room     int64 // octets that a file may have; negative: any number
	denied   []string
}

// ReadOnly refuses every change with "permission denied", as a folder does in
// which the user may not write. It is sftp-server's option -R and not the folder's
// mode, which would not stop root.
func (s *SFTPServer) ReadOnly(yes bool) {
	s.tb.Helper()
	s.change(func(f *sessionFaults) { f.readOnly = yes })
}

// Full refuses every octet: files are made and stay empty, as on a full disk with
// free inodes. It is a limit on the size of files (ulimit -f) and not a full file
// system, which only root could make: the client is told "failure", as it is for
// ENOSPC, but statvfs still says that there is room.
func (s *SFTPServer) Full(yes bool) {
	s.tb.Helper()
	room := int64(-1)
	if yes {
		room = 0
	}
	s.change(func(f *sessionFaults) { f.room = room })
}

// FullAfter is [SFTPServer.Full] for what a file has beyond so many octets, rounded
// up to the next multiple of 512. What is short of it arrives: the write that
// crosses it is cut off there and fails.
func (s *SFTPServer) FullAfter(octets int64) {
	s.tb.Helper()
	s.change(func(f *sessionFaults) { f.room = octets })
}

// RefuseRename refuses renaming in all its forms, also by hard links: the file
// arrives under its temporary name and stays there.
func (s *SFTPServer) RefuseRename(yes bool) {
	s.tb.Helper()
	renaming := []string{"rename", "posix-rename", "hardlink"}
	s.change(func(f *sessionFaults) {
		f.denied = slices.DeleteFunc(f.denied, func(one string) bool { return slices.Contains(renaming, one) })
		if yes {
			f.denied = append(f.denied, renaming...)
		}
	})
}

// Deny refuses requests with "permission denied"; none allows all again. They have
// the names that sftp-server -Q requests prints, such as fsync or remove.
func (s *SFTPServer) Deny(requests ...string) {
	s.tb.Helper()
	s.change(func(f *sessionFaults) { f.denied = requests })
}

// LoseRename resets the next connection on which a complete file has appeared,
// before the client is told: the rename is done, and the client does not know.
func (s *SFTPServer) LoseRename() {
	s.tb.Helper()
	before := len(s.Files())
	s.LoseAnswerWhen(func() bool { return s.complete() > before })
}

// Heal undoes every fault of the line and of the sessions.
func (s *SFTPServer) Heal() {
	s.tb.Helper()
	s.Line.Heal()
	s.change(func(f *sessionFaults) { *f = sessionFaults{room: -1} })
}

// change is for the sessions that come; those that are open end, so that it takes
// effect at once.
func (s *SFTPServer) change(f func(*sessionFaults)) {
	s.tb.Helper()
	f(&s.faults)
	s.writeSession()
	s.Cut()
	if s.program != nil {
		s.program.KillChildren()
	}
}

func (s *SFTPServer) sessionFile() string { return filepath.Join(s.home, "session.sh") }

// writeSession writes the script that each session runs. The signal of a limit that
// is reached is ignored, so that sftp-server is told by an error and lives on.
func (s *SFTPServer) writeSession() {
	s.tb.Helper()
	b := &strings.Builder{}
	if s.faults.room >= 0 {
		fmt.Fprintf(b, "trap '' XFSZ\nulimit -f %d\n", (s.faults.room+511)/512)
	}
	fmt.Fprintf(b, "exec '%s' -u 0022 -d '%s'", s.sftp, s.Dir)
	if s.faults.readOnly {
		b.WriteString(" -R")
	}
	if len(s.faults.denied) > 0 {
		fmt.Fprintf(b, " -P %s", strings.Join(s.faults.denied, ","))
	}
	b.WriteString("\n")
	write(s.tb, s.sessionFile(), []byte(b.String()), 0o700)
}
