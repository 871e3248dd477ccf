package main

import (
	"io/fs"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
)

// noMemoryLimit is what the runtime calls none.
const noMemoryLimit = math.MaxInt64

// gcPercent lets the heap grow to some times what lives, since what lives is
// small (some 10 MB): collecting takes a fifth of the processor's time else.
const gcPercent = 300

// heedMemory makes the garbage collector work harder before the container's
// limit kills the process. GOGC and GOMEMLIMIT win; GOMAXPROCS follows the container by itself.
func heedMemory(root fs.FS, logger logrus.FieldLogger) {
	if _, told := os.LookupEnv("GOGC"); !told {
		debug.SetGCPercent(gcPercent)
	}
	set := debug.SetMemoryLimit(-1)
	limit := memoryLimit(root, set)
	if limit == set {
		return
	}
	debug.SetMemoryLimit(limit)
	logger.WithField("bytes", limit).Debug("the memory limit follows the container's")
}

// memoryLimit is what the runtime was told, else nine tenths of the container's
// limit (the rest is for what the runtime does not count), else none.
func memoryLimit(root fs.FS, told int64) int64 {
	if told != noMemoryLimit {
		return told
	}
	for _, name := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			continue
		}
		// Version 1 writes no limit as a number close to the largest.
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && n < 1<<60 {
			return n / 10 * 9
		}
	}
	return noMemoryLimit
}

// freeStart gives back what only the start needed: the migrations' parser keeps some 10 MB in pools, which two collections
// empty. The heap grows to a multiple of what lives, so each of them costs four.
func freeStart() {
	runtime.GC()
	debug.FreeOSMemory()
}
