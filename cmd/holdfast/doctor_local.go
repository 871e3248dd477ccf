package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/middleware"
)

func checkSettings(s *settings.Settings) finding {
	if s.File == "" {
		return ok("no configuration file; auth %s, ring %s", s.Auth.Mode, s.Ring)
	}
	return ok("%s; auth %s, ring %s", s.File, s.Auth.Mode, s.Ring)
}

// checkPermissions looks at files with secrets in them.
func checkPermissions(s *settings.Settings, environ []string) finding {
	var secret []string
	for _, v := range s.Effective() {
		if s.File != "" && strings.HasPrefix(v.Source, s.File+":") && (v.Setting == "databaseUrl" || v.Setting == "redisUrl") {
			secret = append(secret, s.File)
		}
	}
	for _, line := range environ {
		name, path, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, "HOLDFAST_") && strings.HasSuffix(name, "_FILE") && path != "" {
			secret = append(secret, path)
		}
	}
	if s.Embedded() {
		secret = append(secret, s.DataDir)
	}
	for _, path := range secret {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the data directory of a gateway that has never run
		}
		if err != nil {
			return fail("let the gateway's user read it", "%s can't be looked at: %v", path, withoutPath(err))
		}
		if open := info.Mode().Perm() & 0o077; open != 0 {
			return warn("chmod go= "+path, "%s may be read or changed by others (mode %04o)", path, info.Mode().Perm())
		}
	}
	return ok("nobody else may read what is secret")
}

func withoutPath(err error) error {
	var reason *fs.PathError
	if errors.As(err, &reason) {
		return reason.Err
	}
	return err
}

func checkSchemas(s *settings.Settings) finding {
	if _, err := openSchemas(s); err != nil {
		return fail("correct the file, or the entry in schemas.types", "%v", err)
	}
	return ok("%d registered; what has none: %s", len(s.Schemas.Types), s.Schemas.Unregistered)
}

// checkConsumers makes the consumers, without calling them.
func checkConsumers(s *settings.Settings) finding {
	all, err := consumersOf(s, s.Consumers)
	if err != nil {
		return fail("correct the entry in consumers, or the file that it names", "%v", err)
	}
	closeSenders(all)
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	if len(names) == 0 {
		return ok("none: what is accepted is delivered nowhere")
	}
	return ok("%s; they are not called", strings.Join(names, ", "))
}

// checkListen finds the address free, or a gateway on it.
func checkListen(ctx context.Context, s *settings.Settings) finding {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Listen)
	if err == nil {
		_ = ln.Close()
		return ok("%s is free", s.Listen)
	}
	if errors.Is(err, syscall.EADDRINUSE) && isGateway(ctx, s.Listen) {
		return ok("a gateway listens on %s already", s.Listen)
	}
	return fail("stop what listens there, or choose another HOLDFAST_LISTEN", "%s can't be listened on: %v", s.Listen, listenReason(err))
}

// listenReason is the last part of an error of net, which begins with the address.
func listenReason(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// isGateway asks whether what listens there is one of ours; it does not wait long.
func isGateway(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.Header.Get(middleware.ProtocolHeader) != ""
}

// descriptorsBeside are those that are no connections of clients.
const descriptorsBeside = 100

func checkDescriptors(s *settings.Settings) finding {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return warn("", "the limit can't be read: %v", err)
	}
	need := uint64(s.Limits.Connections) + descriptorsBeside
	if limit.Cur < need {
		return warn(fmt.Sprintf("raise it (ulimit -n %d, LimitNOFILE in systemd) or lower limits.connections", need),
			"%d may be open; %d connections need %d", limit.Cur, s.Limits.Connections, need)
	}
	return ok("%d may be open, %d are needed at most", limit.Cur, need)
}

// checkMemory compares the memory that may be used with what bodies may take.
func checkMemory(s *settings.Settings) finding {
	limit := memoryLimit(os.DirFS("/"), debug.SetMemoryLimit(-1))
	if limit == noMemoryLimit {
		return ok("no limit is set; bodies take up to %s", s.Limits.InFlightBytes)
	}
	if int64(s.Limits.InFlightBytes) > limit/2 {
		return warn("raise the limit or lower limits.inFlightBytes", "bodies may take %s of %d MiB", s.Limits.InFlightBytes, limit>>20)
	}
	return ok("%d MiB, of which bodies take up to %s", limit>>20, s.Limits.InFlightBytes)
}

// The free space of a data directory in bytes: less than the first is a matter
// of hours, less than the second of days.
const (
	spaceFail = 100 << 20
	spaceWarn = 1 << 30
)

func checkDataDir(s *settings.Settings) finding {
	dir := s.DataDir
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = existingParent(dir)
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return fail("let the gateway's user write there, or choose another HOLDFAST_DATA_DIR", "%s can't be written to: %v", dir, withoutPath(err))
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	var space syscall.Statfs_t
	if err := syscall.Statfs(dir, &space); err != nil {
		return warn("", "%s: the free space can't be read: %v", dir, err)
	}
	free := int64(space.Bavail) * int64(space.Bsize) //nolint:unconvert // of other types elsewhere
	switch {
	case free < spaceFail:
		return fail("make room", "%s has %d MiB left", dir, free>>20)
	case free < spaceWarn:
		return warn("make room", "%s has %d MiB left", dir, free>>20)
	}
	return ok("%s can be written to; %d MiB are free", dir, free>>20)
}

// existingParent is the folder that dir would be made in.
func existingParent(dir string) string {
	for {
		parent := filepath.Dir(dir)
		if _, err := os.Stat(parent); err == nil || parent == dir {
			return parent
		}
		dir = parent
	}
}
