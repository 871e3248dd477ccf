-- +goose Up
CREATE TABLE epochs (
  epoch      INTEGER PRIMARY KEY,
  id         BLOB    NOT NULL,
  started_at INTEGER NOT NULL -- microseconds since 1970, as every time here
);
INSERT INTO epochs (epoch, id, started_at) VALUES (
  1,
  unhex(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2) || '8' || substr(hex(randomblob(2)), 2) || hex(randomblob(6))),
  CAST(unixepoch('subsec') * 1000000 AS INTEGER)
);

CREATE TABLE streams (
  num              INTEGER PRIMARY KEY,
  id               BLOB    NOT NULL UNIQUE,
  accepted_through INTEGER NOT NULL,
  digest           BLOB    NOT NULL,
  quarantined      INTEGER NOT NULL,
  device           TEXT    NOT NULL,
  shop             TEXT    NOT NULL,
  created_at       INTEGER NOT NULL
);

-- A batch's row is its idempotency record, its audit event and its entry in the
-- mutation log, which is read in the order of position.
CREATE TABLE batches (
  position    INTEGER PRIMARY KEY,
  stream      INTEGER NOT NULL,
  correlation BLOB    NOT NULL,
  first_seq   INTEGER NOT NULL,
  last_seq    INTEGER NOT NULL,
  duplicates  INTEGER NOT NULL,
  fingerprint BLOB    NOT NULL,
  problems    TEXT,
  context     TEXT    NOT NULL,
  prior       TEXT,
  epoch       INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX batches_by_correlation ON batches (stream, correlation);

CREATE TABLE transactions (
  position INTEGER PRIMARY KEY,
  stream   INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  id       BLOB    NOT NULL,
  batch    INTEGER NOT NULL, -- batches.position
  body     BLOB    NOT NULL  -- the octets as first accepted
);
CREATE UNIQUE INDEX transactions_by_seq ON transactions (stream, seq);
CREATE UNIQUE INDEX transactions_by_id ON transactions (stream, id);

CREATE TABLE quarantine (
  stream  INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  problem TEXT    NOT NULL,
  PRIMARY KEY (stream, seq)
) WITHOUT ROWID;

CREATE TABLE queues (
  stream    BLOB    PRIMARY KEY,
  depth     INTEGER NOT NULL,
  oldest_ms INTEGER NOT NULL,
  at        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tokens (
  id         TEXT    PRIMARY KEY,
  hash       BLOB    NOT NULL,
  name       TEXT    NOT NULL,
  scope      TEXT    NOT NULL,
  device     TEXT    NOT NULL,
  shop       TEXT    NOT NULL,
  user_name  TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
);

-- +goose Down
DROP TABLE tokens;
DROP TABLE queues;
DROP TABLE quarantine;
DROP TABLE transactions;
DROP TABLE batches;
DROP TABLE streams;
DROP TABLE epochs;
