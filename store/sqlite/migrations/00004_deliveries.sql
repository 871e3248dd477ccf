-- +goose Up
-- How far the log has been planned.
CREATE TABLE delivery_log (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  position INTEGER NOT NULL -- of batches
);
INSERT INTO delivery_log (one, position) VALUES (1, 0);

-- What goes where: a row for each transaction and consumer, made behind intake from the log.
-- status: 0 waiting, 1 delivering, 2 quarantined, 3 held; from 10 on over: 10 delivered, 11 skipped, 12 failed.
CREATE TABLE deliveries (
  position    INTEGER PRIMARY KEY,
  stream      INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  consumer    TEXT    NOT NULL,
  type        TEXT    NOT NULL,
  shop        TEXT    NOT NULL,
  lane        BLOB    NOT NULL,
  after       TEXT    NOT NULL, -- a JSON array
  waits       INTEGER NOT NULL,
  behind      INTEGER NOT NULL,
  status      INTEGER NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0,
  generation  INTEGER NOT NULL DEFAULT 0,
  due_at      INTEGER NOT NULL,
  lease_until INTEGER,
  node        TEXT    NOT NULL DEFAULT '',
  code        TEXT    NOT NULL DEFAULT '',
  detail      TEXT    NOT NULL DEFAULT '',
  reference   TEXT    NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  done_at     INTEGER
);
CREATE UNIQUE INDEX deliveries_by_transaction ON deliveries (stream, seq, consumer);
-- What can be claimed now or later, store by store.
CREATE INDEX deliveries_due ON deliveries (consumer, shop, due_at, position) WHERE status = 0 AND behind = 0 AND waits = 0;
-- The order of a lane.
CREATE INDEX deliveries_by_lane ON deliveries (consumer, lane, position) WHERE status < 10;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE status = 1;
CREATE INDEX deliveries_open ON deliveries (stream, seq) WHERE status < 10;
-- For operators: what has trouble.
CREATE INDEX deliveries_troubled ON deliveries (consumer, position) WHERE status IN (2, 3);

-- Changes of a stream, numbered without gaps.
CREATE TABLE changes (
  stream    INTEGER NOT NULL,
  number    INTEGER NOT NULL,
  kind      TEXT    NOT NULL,
  at        INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  consumer  TEXT    NOT NULL,
  reference TEXT    NOT NULL,
  code      TEXT    NOT NULL,
  detail    TEXT    NOT NULL,
  body      TEXT,
  PRIMARY KEY (stream, number)
) WITHOUT ROWID;

CREATE TABLE messages (
  position   INTEGER PRIMARY KEY,
  id         BLOB    NOT NULL UNIQUE,
  kind       TEXT    NOT NULL, -- device, store or user
  target     TEXT    NOT NULL,
  body       TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX messages_by_target ON messages (kind, target, position);

-- Other payloads than the device sent, the last one in force.
CREATE TABLE repairs (
  stream  INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  number  INTEGER NOT NULL,
  payload TEXT    NOT NULL,
  who     TEXT    NOT NULL,
  why     TEXT    NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (stream, seq, number)
) WITHOUT ROWID;

-- Quarantined transactions get a number, and what an operator decided about them; NULL: nothing yet.
CREATE TABLE quarantine_new (
  number     INTEGER PRIMARY KEY,
  stream     INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  problem    TEXT    NOT NULL,
  type       TEXT    NOT NULL DEFAULT '', -- of the transaction
  verb       TEXT,
  who        TEXT,
  why        TEXT,
  decided_at INTEGER
);
INSERT INTO quarantine_new (stream, seq, problem) SELECT stream, seq, problem FROM quarantine ORDER BY stream, seq;
DROP TABLE quarantine;
ALTER TABLE quarantine_new RENAME TO quarantine;
CREATE UNIQUE INDEX quarantine_by_seq ON quarantine (stream, seq);
CREATE INDEX quarantine_open ON quarantine (number) WHERE verb IS NULL;

-- For deliveries that wait for a file.
CREATE INDEX attachment_names_by_digest ON attachment_names (digest);

-- +goose Down
DROP INDEX attachment_names_by_digest;
CREATE TABLE quarantine_old (
  stream  INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  problem TEXT    NOT NULL,
  PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
INSERT INTO quarantine_old SELECT stream, seq, problem FROM quarantine;
DROP TABLE quarantine;
ALTER TABLE quarantine_old RENAME TO quarantine;
DROP TABLE repairs;
DROP TABLE messages;
DROP TABLE changes;
DROP TABLE deliveries;
DROP TABLE delivery_log;
