-- +goose Up
-- What happened, in the order of (at, position). Rows are only ever added: the
-- triggers refuse everything else, but for what is older than the floor.
-- A text that is empty is NULL.
CREATE TABLE audit_events (
  position       INTEGER PRIMARY KEY,
  at             INTEGER NOT NULL,
  id             BLOB    NOT NULL,
  client_at      INTEGER,
  stream         BLOB,
  first_seq      INTEGER,
  last_seq       INTEGER,
  transaction_id BLOB,
  epoch          INTEGER NOT NULL,
  action         TEXT,
  outcome        TEXT,
  code           TEXT,
  actor_kind     TEXT,
  actor_id       TEXT,
  actor_scope    TEXT,
  target_kind    TEXT,
  target_id      TEXT,
  shop           TEXT,
  user_name      TEXT,
  device         TEXT,
  session        TEXT,
  app_version    TEXT,
  correlation    TEXT,
  traceparent    TEXT,
  trace          TEXT,
  consumer       TEXT,
  reference      TEXT,
  address        TEXT,
  node           TEXT,
  details        TEXT
);
-- The only index: one on correlation took another 10 % of intake, and one file is small
-- enough to be searched from its end.
CREATE INDEX audit_events_by_time ON audit_events (at);

-- Rows from before the floor may be deleted. It only rises, and stays two days behind.
CREATE TABLE audit_floor (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  at  INTEGER NOT NULL
);
INSERT INTO audit_floor (one, at) VALUES (1, 0);

CREATE TABLE audit_segments (
  number    INTEGER PRIMARY KEY,
  hour      INTEGER NOT NULL,
  backfill  INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  hash      BLOB    NOT NULL,
  previous  BLOB    NOT NULL,
  manifest  BLOB    NOT NULL,
  sealed_at INTEGER NOT NULL
);

CREATE TABLE sessions (
  session  TEXT    NOT NULL,
  device   TEXT    NOT NULL,
  began_at INTEGER NOT NULL,
  PRIMARY KEY (session, device)
) WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER audit_events_never_change BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events WHEN OLD.at >= (SELECT at FROM audit_floor)
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END;
-- +goose StatementEnd
-- INSERT OR REPLACE would delete without asking the trigger above.
-- +goose StatementBegin
CREATE TRIGGER audit_events_are_not_replaced BEFORE INSERT ON audit_events WHEN EXISTS (SELECT 1 FROM audit_events WHERE position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_floor_only_rises BEFORE UPDATE ON audit_floor
WHEN NEW.one <> 1 OR NEW.at < OLD.at OR NEW.at > CAST((unixepoch('subsec') - 2 * 86400) * 1000000 AS INTEGER)
BEGIN SELECT RAISE(ABORT, 'the floor of the audit log only rises, and stays two days behind'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_floor_stays BEFORE DELETE ON audit_floor
BEGIN SELECT RAISE(ABORT, 'the floor of the audit log only rises'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_floor_is_not_replaced BEFORE INSERT ON audit_floor
BEGIN SELECT RAISE(ABORT, 'the floor of the audit log only rises'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_segments_never_change BEFORE UPDATE ON audit_segments
BEGIN SELECT RAISE(ABORT, 'audit_segments is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_segments_stay BEFORE DELETE ON audit_segments
BEGIN SELECT RAISE(ABORT, 'audit_segments is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_segments_are_not_replaced BEFORE INSERT ON audit_segments WHEN EXISTS (SELECT 1 FROM audit_segments WHERE number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'audit_segments is append-only'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE sessions;
DROP TABLE audit_segments;
DROP TABLE audit_floor;
DROP TABLE audit_events;
