package faultkit

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

// Start starts the server again at the same address, with its key and its files;
// it returns when a session works.
func (s *SFTPServer) Start() {
	s.tb.Helper()
	if s.program != nil {
		s.tb.Fatal("sshd runs already")
	}
	program, err := testserver.StartProgram(s.sshd, s.arguments()...)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.program = program
	if err := program.Await(s.session); err != nil {
		s.tb.Fatalf("nobody can log in as %s: %v\n%s", s.User, err, program.Log())
	}
	if err := s.up(); err != nil {
		s.tb.Fatal(err)
	}
}

// arguments write the configuration. HOME is a folder of the test's: bash as a login shell reads ~/.bashrc even for a
// subsystem, and whatever stands there may wait, print or fail. A server that root runs needs its empty folder.
func (s *SFTPServer) arguments() []string {
	s.tb.Helper()
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			s.tb.Fatalf("sshd as root needs the folder /run/sshd: %v", err)
		}
	}
	config := filepath.Join(s.home, "sshd_config")
	write(s.tb, config, fmt.Appendf(nil, `ListenAddress 127.0.0.1:%d
HostKey %s
PidFile none
AuthorizedKeysFile %s
UsePAM no
StrictModes no
PermitRootLogin yes
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
DisableForwarding yes
PermitUserRC no
UseDNS no
MaxStartups 1000
MaxSessions 1000
SetEnv HOME=%s
Subsystem sftp /bin/sh %s
`, s.port, s.hostKeyFile(), filepath.Join(s.home, "authorized_keys"), s.home, s.sessionFile()), 0o600)
	arguments := []string{"-f", config}
	// From 9.8 on it locks addresses out that broke off too often, as tests do.
	if exec.Command(s.sshd, "-t", "-f", config, "-o", "PerSourcePenalties=no").Run() == nil {
		arguments = append(arguments, "-o", "PerSourcePenalties=no")
	}
	return append(arguments, "-D", "-e")
}

// session logs in past the line and asks for the folder.
func (s *SFTPServer) session() error {
	pem, err := os.ReadFile(s.KeyFile)
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("tcp", s.target, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	c, channels, requests, err := ssh.NewClientConn(conn, s.target, &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(s.hostKey),
	})
	if err != nil {
		return err
	}
	client, err := sftp.NewClient(ssh.NewClient(c, channels, requests))
	if err != nil {
		return err
	}
	defer client.Close()
	if at, err := client.Getwd(); err != nil || at != s.Dir {
		return fmt.Errorf("a session begins in %q, not in %s: %w", at, s.Dir, err)
	}
	return nil
}
