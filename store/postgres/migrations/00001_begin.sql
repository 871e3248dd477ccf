-- +goose Up
CREATE TABLE epochs (
  epoch      bigint      PRIMARY KEY,
  id         uuid        NOT NULL,
  started_at timestamptz NOT NULL
);
INSERT INTO epochs (epoch, id, started_at) VALUES (1, gen_random_uuid(), now());

-- Heads are moved with every batch: room on the page keeps the move off the indexes.
CREATE TABLE streams (
  num              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id               uuid        NOT NULL UNIQUE,
  accepted_through bigint      NOT NULL,
  digest           bytea       NOT NULL,
  quarantined      bigint      NOT NULL,
  device           text        NOT NULL,
  shop             text        NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- A batch's row is its idempotency record, its audit event and its entry in the
-- mutation log, which is read in the order of position. xid tells which rows a
-- snapshot can see.
CREATE TABLE batches (
  position    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream      bigint      NOT NULL,
  correlation uuid        NOT NULL,
  first_seq   bigint      NOT NULL,
  last_seq    bigint      NOT NULL,
  duplicates  bigint      NOT NULL,
  fingerprint bytea       NOT NULL,
  problems    text,
  context     text        NOT NULL,
  prior       text,
  epoch       bigint      NOT NULL,
  accepted_at timestamptz NOT NULL DEFAULT now(),
  xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT batches_by_correlation UNIQUE (stream, correlation)
);

CREATE TABLE transactions (
  stream bigint NOT NULL,
  seq    bigint NOT NULL,
  id     uuid   NOT NULL,
  batch  bigint NOT NULL, -- batches.position
  body   text   NOT NULL, -- the octets as first accepted
  CONSTRAINT transactions_by_seq PRIMARY KEY (stream, seq),
  CONSTRAINT transactions_by_id UNIQUE (stream, id)
);

CREATE TABLE quarantine (
  stream  bigint NOT NULL,
  seq     bigint NOT NULL,
  problem text   NOT NULL,
  PRIMARY KEY (stream, seq)
);

CREATE TABLE queues (
  stream    uuid        PRIMARY KEY,
  depth     bigint      NOT NULL,
  oldest_ms bigint      NOT NULL,
  at        timestamptz NOT NULL
);

CREATE TABLE tokens (
  id         text        PRIMARY KEY,
  hash       bytea       NOT NULL,
  name       text        NOT NULL,
  scope      text        NOT NULL,
  device     text        NOT NULL,
  shop       text        NOT NULL,
  user_name  text        NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz
);

-- +goose Down
DROP TABLE tokens;
DROP TABLE queues;
DROP TABLE quarantine;
DROP TABLE transactions;
DROP TABLE batches;
DROP TABLE streams;
DROP TABLE epochs;
