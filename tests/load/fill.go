package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver
)

// Streams of 1000 transactions each, as a table looks after some weeks.
const perStream = 1000

// fillPostgres writes rows in the shape of real ones, and lets the server look
// at them, as it would have by itself in that time.
func fillPostgres(ctx context.Context, url string, rows int) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	body := string(transactionBody(nil, transactionID(0, 0, 1), 1))
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO streams (id, accepted_through, digest, quarantined, device, shop)
			SELECT gen_random_uuid(), %d, '\x00', 0, 'fill', 'fill' FROM generate_series(1, %d)`, perStream, rows/perStream),
		fmt.Sprintf(`INSERT INTO batches (stream, correlation, first_seq, last_seq, duplicates, fingerprint, context, epoch)
			SELECT num, gen_random_uuid(), b * 50 + 1, b * 50 + 50, 0, '\x00', '{}', 1 FROM streams, generate_series(0, %d) b`, perStream/50-1),
		fmt.Sprintf(`INSERT INTO transactions (stream, seq, id, batch, body)
			SELECT num, s, gen_random_uuid(), 1, '%s' FROM generate_series(1, %d) s, streams ORDER BY s, num`, body, perStream),
		"VACUUM (ANALYZE)", "CHECKPOINT",
	} {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	return nil
}

func fillSQLite(ctx context.Context, path string, rows int) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	body := string(transactionBody(nil, transactionID(0, 0, 1), 1))
	series := "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d) "
	for _, statement := range []string{
		fmt.Sprintf("INSERT INTO streams (id, accepted_through, digest, quarantined, device, shop, created_at) "+series+
			"SELECT randomblob(16), %d, zeroblob(32), 0, 'fill', 'fill', 0 FROM n", rows/perStream, perStream),
		fmt.Sprintf("INSERT INTO batches (stream, correlation, first_seq, last_seq, duplicates, fingerprint, context, epoch, accepted_at) "+series+
			"SELECT i %% %d + 1, randomblob(16), i / %d * 50 + 1, i / %d * 50 + 50, 0, zeroblob(32), '{}', 1, 0 FROM n",
			rows/50, rows/perStream, rows/perStream, rows/perStream),
		fmt.Sprintf("INSERT INTO transactions (stream, seq, id, batch, body) "+series+
			"SELECT i %% %d + 1, i / %d + 1, randomblob(16), 1, CAST('%s' AS BLOB) FROM n", rows, rows/perStream, rows/perStream, body),
		"PRAGMA wal_checkpoint(TRUNCATE)",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
