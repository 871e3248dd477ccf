package faultkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// program finds an executable in PATH or at one of the places where
// distributions keep it. A missing one fails the test: a fault suite that is
// skipped proves nothing, and nobody sees it.
func program(tb testing.TB, name, howToInstall string, places ...string) string {
	tb.Helper()
	if path, err := exec.LookPath(name); err == nil {
		if path, err = filepath.Abs(path); err == nil {
			return path
		}
	}
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	tb.Fatalf("%s is missing: %s", name, howToInstall)
	return ""
}

func java(tb testing.TB) string {
	tb.Helper()
	return program(tb, "java", "WireMock runs on Java 11 or later; apt-get install default-jre-headless (in Holdfast's source: make deps)")
}

func sshd(tb testing.TB) string {
	tb.Helper()
	return program(tb, "sshd", "apt-get install openssh-server (in Holdfast's source: make deps)", "/usr/sbin/sshd", "/usr/local/sbin/sshd")
}

func sftpServer(tb testing.TB) string {
	tb.Helper()
	return program(
		tb, "sftp-server", "it comes with OpenSSH; apt-get install openssh-sftp-server (in Holdfast's source: make deps)",
		"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server", "/usr/libexec/sftp-server",
	)
}

// jarInModules is where the npm package wiremock 3.13.2 has its server.
const jarInModules = "node_modules/wiremock/build/wiremock-standalone-3.13.2.jar"

// wireMockJar looks at WIREMOCK_JAR, into Holdfast's source, then into
// node_modules of the working folder and of those above it.
func wireMockJar(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("WIREMOCK_JAR"); path != "" {
		if _, err := os.Stat(path); err != nil {
			tb.Fatalf("WIREMOCK_JAR names a file that is not there: %v", err)
		}
		return path
	}
	var places []string
	if _, here, _, ok := runtime.Caller(0); ok {
		places = append(places, filepath.Join(filepath.Dir(here), "..", "wiremock", jarInModules))
	}
	if dir, err := os.Getwd(); err == nil {
		for {
			places = append(places, filepath.Join(dir, jarInModules))
			above := filepath.Dir(dir)
			if above == dir {
				break
			}
			dir = above
		}
	}
	for _, path := range places {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	tb.Fatal("WireMock 3.13.2 is missing: run npm install --save-dev wiremock@3.13.2 in your project " +
		"(in Holdfast's source: make tools), or set WIREMOCK_JAR to wiremock-standalone-3.13.2.jar")
	return ""
}
