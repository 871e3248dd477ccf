-- +goose Up
-- How far the log has been planned.
CREATE TABLE delivery_log (
  one      integer PRIMARY KEY CHECK (one = 1),
  position bigint  NOT NULL -- of batches
);
INSERT INTO delivery_log (one, position) VALUES (1, 0);

-- What goes where: a row for each transaction and consumer, made behind intake from the log.
-- status: 0 waiting, 1 delivering, 2 quarantined, 3 held; from 10 on over: 10 delivered, 11 skipped, 12 failed.
CREATE TABLE deliveries (
  position    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream      bigint      NOT NULL,
  seq         bigint      NOT NULL,
  consumer    text        COLLATE "C" NOT NULL,
  type        text        NOT NULL,
  shop        text        COLLATE "C" NOT NULL,
  lane        bytea       NOT NULL,
  after       text[]      NOT NULL,
  waits       integer     NOT NULL,
  behind      boolean     NOT NULL,
  status      smallint    NOT NULL,
  attempts    bigint      NOT NULL DEFAULT 0,
  generation  bigint      NOT NULL DEFAULT 0,
  due_at      timestamptz NOT NULL DEFAULT now(),
  lease_until timestamptz,
  node        text        NOT NULL DEFAULT '',
  code        text        NOT NULL DEFAULT '',
  detail      text        NOT NULL DEFAULT '',
  reference   text        NOT NULL DEFAULT '',
  created_at  timestamptz NOT NULL DEFAULT now(),
  done_at     timestamptz,
  CONSTRAINT deliveries_by_transaction UNIQUE (stream, seq, consumer)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
-- What can be claimed now or later, store by store.
CREATE INDEX deliveries_due ON deliveries (consumer, shop, due_at, position) WHERE status = 0 AND NOT behind AND waits = 0;
-- The order of a lane.
CREATE INDEX deliveries_by_lane ON deliveries (consumer, lane, position) WHERE status < 10;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE status = 1;
CREATE INDEX deliveries_open ON deliveries (stream, seq) WHERE status < 10;
-- For operators: what has trouble.
CREATE INDEX deliveries_troubled ON deliveries (consumer, position) WHERE status IN (2, 3);

-- Changes of a stream, numbered without gaps.
CREATE TABLE changes (
  stream    bigint      NOT NULL,
  number    bigint      NOT NULL,
  kind      text        NOT NULL,
  at        timestamptz NOT NULL DEFAULT now(),
  seq       bigint      NOT NULL,
  consumer  text        NOT NULL DEFAULT '',
  reference text        NOT NULL DEFAULT '',
  code      text        NOT NULL DEFAULT '',
  detail    text        NOT NULL DEFAULT '',
  body      text,
  PRIMARY KEY (stream, number)
);

CREATE TABLE messages (
  position   bigint      PRIMARY KEY,
  id         uuid        NOT NULL UNIQUE,
  kind       text        NOT NULL, -- device, store or user
  target     text        NOT NULL,
  body       text        NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX messages_by_target ON messages (kind, target, position);

-- Other payloads than the device sent, the last one in force.
CREATE TABLE repairs (
  stream   bigint      NOT NULL,
  seq      bigint      NOT NULL,
  number   bigint      NOT NULL,
  payload  text        NOT NULL,
  who      text        NOT NULL,
  why      text        NOT NULL,
  at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (stream, seq, number)
);

-- What an operator decided about a quarantined transaction; NULL: nothing yet.
ALTER TABLE quarantine
  ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY,
  ADD COLUMN type text NOT NULL DEFAULT '', -- of the transaction
  ADD COLUMN verb text, ADD COLUMN who text, ADD COLUMN why text, ADD COLUMN decided_at timestamptz;
CREATE UNIQUE INDEX quarantine_by_number ON quarantine (number);
CREATE INDEX quarantine_open ON quarantine (number) WHERE verb IS NULL;

-- For deliveries that wait for a file.
CREATE INDEX attachment_names_by_digest ON attachment_names (digest);

-- +goose Down
DROP INDEX attachment_names_by_digest;
ALTER TABLE quarantine DROP COLUMN number, DROP COLUMN type, DROP COLUMN verb, DROP COLUMN who, DROP COLUMN why, DROP COLUMN decided_at;
DROP TABLE repairs;
DROP TABLE messages;
DROP TABLE changes;
DROP TABLE deliveries;
DROP TABLE delivery_log;
