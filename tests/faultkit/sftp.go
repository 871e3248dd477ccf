package faultkit

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

// SFTPServer is a private OpenSSH server with its sftp-server, the stand-in of a
// consumer that takes files, behind a [Line] on which the network can fail. It
// runs as the user who runs the test, who is also the one who logs in. Its
// methods fail the test when they cannot do what they are for; call them from the
// test's own goroutine.
type SFTPServer struct {
	*Line
	User       string // who logs in, with the key alone
	KeyFile    string // the client's private key
	KnownHosts string // a file that names the server's key as it was at the start
	Dir        string // where a session begins and files arrive, on this machine
	// Temporary says which names are those of files that are not complete. From the
	// start it is [TemporaryName].
	Temporary func(name string) bool

	tb      testing.TB
	home    string // configuration and keys
	sshd    string
	sftp    string
	port    int
	hostKey ssh.PublicKey
	program *testserver.Program
	faults  sessionFaults
}

// SFTP starts one on a free port of 127.0.0.1, which takes a tenth of a second; it
// is killed when the test ends, and when the test process dies.
func SFTP(tb testing.TB) *SFTPServer {
	tb.Helper()
	who, err := user.Current()
	if err != nil {
		tb.Fatalf("OpenSSH lets nobody in without a name: add user %d to /etc/passwd: %v", os.Getuid(), err)
	}
	home := tb.TempDir()
	s := &SFTPServer{
		tb: tb, User: who.Username, home: home, KeyFile: filepath.Join(home, "client_key"), KnownHosts: filepath.Join(home, "known_hosts"),
		Dir: filepath.Join(home, "files"), Temporary: TemporaryName, sshd: sshd(tb), sftp: sftpServer(tb), port: port(tb),
	}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	s.Line = newLine(tb, net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
	s.down()
	write(tb, filepath.Join(home, "authorized_keys"), ssh.MarshalAuthorizedKey(newKey(tb, s.KeyFile)), 0o600)
	s.hostKey = newKey(tb, s.hostKeyFile())
	s.Trust()
	s.faults.room = -1
	s.writeSession()
	tb.Cleanup(func() {
		if s.program != nil {
			s.program.Kill()
		}
	})
	s.Start()
	return s
}

// Fingerprint of the server's key as it is now: SHA256:…
func (s *SFTPServer) Fingerprint() string { return ssh.FingerprintSHA256(s.hostKey) }

// Trust writes the server's key as it is now into KnownHosts.
func (s *SFTPServer) Trust() {
	s.tb.Helper()
	line := knownhosts.Line([]string{knownhosts.Normalize(s.Address())}, s.hostKey)
	write(s.tb, s.KnownHosts, []byte(line+"\n"), 0o600)
}

// Kill is kill -9 of the server and of every session: connections are refused from
// now on, and what was written so far stays.
func (s *SFTPServer) Kill() {
	s.tb.Helper()
	if s.program == nil {
		return
	}
	s.down()
	s.program.Kill()
	s.program = nil
}

// Log is what the running server has written, and why it let somebody not in.
func (s *SFTPServer) Log() string {
	if s.program == nil {
		return ""
	}
	return s.program.Log()
}

// ChangeHostKey gives the server another key, as after a reinstallation or when
// somebody stands between. KnownHosts has the old one until [SFTPServer.Trust].
func (s *SFTPServer) ChangeHostKey() {
	s.tb.Helper()
	ran := s.program != nil
	if ran {
		s.Kill()
	}
	s.hostKey = newKey(s.tb, s.hostKeyFile())
	if ran {
		s.Start()
	}
}

func (s *SFTPServer) hostKeyFile() string { return filepath.Join(s.home, "host_key") }
