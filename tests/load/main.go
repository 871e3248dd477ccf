package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/postgres"
	"github.com/holdfast-sync/holdfast/store/sqlite"
)

var (
	program = flag.String("gateway", "bin/holdfast", "the binary to measure")
	stores  = flag.String("stores", "sqlite,postgres", "which stores")
	clients = flag.String("clients", "1,16,64", "how many clients at once")
	batches = flag.String("batches", "1,50", "transactions in a request")
	seconds = flag.Float64("seconds", 4, "how long each measurement takes")
	files   = flag.Bool("files", false, "measure files in an S3 server instead of transactions")
	deliver = flag.Bool("deliveries", false, "measure the way from acceptance to the reference number on the device")
	rows    = flag.Int("rows", 0, "transactions in the tables before the first measurement")
)

func main() {
	flag.Parse()
	if err := measureAll(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func measureAll() (err error) {
	dir, err := os.MkdirTemp("", "holdfast-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *program, err = filepath.Abs(*program); err != nil {
		return err
	}
	defer testserver.Close()
	if *files {
		return measureFiles(dir)
	}
	if *deliver {
		return measureDeliveries(dir)
	}
	fmt.Printf("%-9s %5s %8s %12s %14s %9s %9s %14s %7s %12s %9s\n", "store", "batch", "clients", "requests/s", "transactions/s",
		"p50 ms", "p99 ms", "bare store/s", "ratio", "CPU µs/tx", "peak MiB")
	for _, name := range strings.Split(*stores, ",") {
		b := &bench{name: name, dir: filepath.Join(dir, name)}
		if err := b.measure(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// bench is the measurements on one store.
type bench struct {
	name, dir, url string
	run            int
}

func (b *bench) measure() error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	if err := b.prepare(); err != nil {
		return err
	}
	for _, size := range numbers(*batches) {
		for _, n := range numbers(*clients) {
			if err := b.row(size, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func numbers(list string) (out []int) {
	for _, text := range strings.Split(list, ",") {
		if n, err := strconv.Atoi(text); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// prepare makes the schema and fills it.
func (b *bench) prepare() error {
	ctx := context.Background()
	var m store.Migrator
	var err error
	if b.name == "postgres" {
		tb := &plainTB{}
		b.url = testserver.Postgres(tb).NewDatabase(tb)
		m, err = postgres.NewMigrator(b.url)
	} else {
		m, err = sqlite.NewMigrator(ctx, b.dir)
	}
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Up(ctx, func(store.Migration) {}); err != nil {
		return err
	}
	if *rows == 0 {
		return nil
	}
	began := time.Now()
	if b.name == "postgres" {
		err = fillPostgres(ctx, b.url, *rows)
	} else {
		err = fillSQLite(ctx, filepath.Join(b.dir, "holdfast.db"), *rows)
	}
	fmt.Printf("%s holds %d transactions now (%s)\n", b.name, *rows, time.Since(began).Round(time.Second))
	return err
}

// row measures the gateway and then the store alone, with the same rows.
func (b *bench) row(size, clients int) error {
	period := time.Duration(*seconds * float64(time.Second))
	g, err := startGateway(*program, b.dir, b.url)
	if err != nil {
		return err
	}
	b.run++
	if _, err := drive(g.address, 1000+b.run, clients, size, period/4); err != nil { // warm
		g.stop()
		return err
	}
	before := cpuOf(g.cmd.Process.Pid)
	through, err := drive(g.address, 2000+b.run, clients, size, period)
	through.cpu = cpuOf(g.cmd.Process.Pid) - before
	peak := peakMemoryOf(g.cmd.Process.Pid)
	g.stop()
	if err != nil {
		return err
	}
	s, err := b.open()
	if err != nil {
		return err
	}
	alone, err := bare(s, 3000+b.run, clients, size, period)
	_ = s.Close()
	if err != nil {
		return err
	}
	rate := float64(through.requests) / through.elapsed.Seconds()
	limit := float64(alone.requests) / alone.elapsed.Seconds()
	fmt.Printf("%-9s %5d %8d %12.0f %14.0f %9.2f %9.2f %14.0f %7.2f %12.1f %9d\n", b.name, size, clients, rate, rate*float64(size),
		ms(through.p50), ms(through.p99), limit*float64(size), rate/limit,
		float64(through.cpu.Microseconds())/float64(through.requests*size), peak>>20)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (b *bench) open() (store.Store, error) {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	if b.name == "postgres" {
		return postgres.Open(context.Background(), postgres.Config{URL: b.url, Logger: quiet})
	}
	return sqlite.Open(context.Background(), sqlite.Config{Dir: b.dir, Logger: quiet})
}

// plainTB lets the servers for tests be started by a program.
type plainTB struct {
	testing.TB
	dir string
}

func (*plainTB) Helper()           {}
func (*plainTB) Cleanup(func())    {} // testserver.Close, and the end of the process
func (t *plainTB) TempDir() string { return t.dir }

func (*plainTB) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	testserver.Close()
	os.Exit(1)
}

func (t *plainTB) Fatalf(format string, args ...any) { t.Fatal(fmt.Sprintf(format, args...)) }
