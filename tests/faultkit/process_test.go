package faultkit_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// TestChild is the process that dies in the test below.
func TestChild(t *testing.T) {
	if os.Getenv("FAULTKIT_CHILD") == "" {
		return
	}
	w, s := faultkit.WireMock(t), faultkit.SFTP(t)
	login(t, s)
	fmt.Println("ready", w.URL(), s.Address())
	select {} // the parent kills us
}

func TestNothingOutlivesTheTestProcess(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), "FAULTKIT_CHILD=1", "TMPDIR="+t.TempDir())
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "ready") {
	}
	family := descendants(child.Process.Pid)
	if len(family) < 4 { // java, sshd, its session, sftp-server
		t.Fatalf("the child has only %v", family)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	eventually(t, func() error {
		for _, pid := range family {
			if status, _ := os.ReadFile("/proc/" + pid + "/stat"); status != nil && !strings.Contains(string(status), ") Z ") {
				return fmt.Errorf("still there: %s", status)
			}
		}
		return nil
	})
}

func descendants(pid any) (all []string) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%v/task/*/children", pid))
	for _, thread := range threads {
		b, _ := os.ReadFile(thread)
		for _, child := range strings.Fields(string(b)) {
			all = append(append(all, child), descendants(child)...)
		}
	}
	return all
}

// fatal is a test that remembers why it failed.
type fatal struct {
	testing.TB
	why string
}

func (f *fatal) Fatal(args ...any) { f.why = fmt.Sprint(args...); runtime.Goexit() }

func (f *fatal) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	try := func(t *testing.T) string {
		t.Helper()
		f := &fatal{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			faultkit.WireMock(f)
		}()
		<-done
		return f.why
	}
	t.Run("jar", func(t *testing.T) {
		t.Setenv("WIREMOCK_JAR", "/nowhere.jar")
		if why := try(t); !strings.Contains(why, "WIREMOCK_JAR") {
			t.Fatalf("%q", why)
		}
	})
	t.Run("java", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if why := try(t); !strings.Contains(why, "java is missing") || !strings.Contains(why, "apt-get install default-jre-headless") {
			t.Fatalf("%q", why)
		}
	})
}
