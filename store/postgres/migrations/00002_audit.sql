-- +goose Up
-- What happened, in the order of (at, position), in a partition for each month. Rows
-- are only ever added: rights and triggers refuse everything else. A text that is
-- empty is NULL.
CREATE TABLE audit_events (
  at             timestamptz NOT NULL DEFAULT now(),
  position       bigint      GENERATED ALWAYS AS IDENTITY,
  id             uuid        NOT NULL,
  client_at      timestamptz,
  stream         uuid,
  first_seq      bigint,
  last_seq       bigint,
  transaction_id uuid,
  epoch          bigint      NOT NULL,
  action         text,
  outcome        text,
  code           text,
  actor_kind     text,
  actor_id       text,
  actor_scope    text,
  target_kind    text,
  target_id      text,
  shop           text,
  user_name      text,
  device         text,
  session        text,
  app_version    text,
  correlation    text,
  traceparent    text,
  trace          text,
  consumer       text,
  reference      text,
  address        text,
  node           text,
  details        text,
  PRIMARY KEY (at, position)
) PARTITION BY RANGE (at);

-- What a writer hands over for each event. A later version that has more to say makes
-- a type of its own and leaves this one.
CREATE TYPE audit_event AS (
  step integer, id uuid, client_at timestamptz, stream uuid, first_seq bigint, last_seq bigint, transaction_id uuid,
  action text, outcome text, code text, actor_kind text, actor_id text, actor_scope text, target_kind text, target_id text,
  shop text, user_name text, device text, session text, app_version text, correlation text, traceparent text, trace text,
  consumer text, reference text, address text, node text, details text
);

-- Bloom filters over 32 pages (some 700 events) each cost an insert next to nothing
-- and let a search leave out what can't match. The names of which there are few share
-- an index, so that rare ones are found.
CREATE INDEX audit_events_names ON audit_events USING brin (
  action text_bloom_ops (n_distinct_per_range = 32), outcome text_bloom_ops (n_distinct_per_range = 16),
  code text_bloom_ops (n_distinct_per_range = 32), actor_kind text_bloom_ops (n_distinct_per_range = 16),
  target_kind text_bloom_ops (n_distinct_per_range = 16), consumer text_bloom_ops (n_distinct_per_range = 32),
  node text_bloom_ops (n_distinct_per_range = 32), shop text_bloom_ops (n_distinct_per_range = 128),
  address text_bloom_ops (n_distinct_per_range = 256), user_name text_bloom_ops (n_distinct_per_range = 256),
  device text_bloom_ops (n_distinct_per_range = 256), stream uuid_bloom_ops (n_distinct_per_range = 256)
) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX audit_events_ids ON audit_events USING brin (
  actor_id text_bloom_ops (n_distinct_per_range = 256), target_id text_bloom_ops (n_distinct_per_range = 700),
  session text_bloom_ops (n_distinct_per_range = 256), reference text_bloom_ops (n_distinct_per_range = 700),
  transaction_id uuid_bloom_ops (n_distinct_per_range = 700)
) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX audit_events_traces ON audit_events USING brin (
  lower(correlation COLLATE "C") text_bloom_ops (n_distinct_per_range = 700), trace text_bloom_ops (n_distinct_per_range = 700)
) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX audit_events_by_seq ON audit_events (stream, first_seq) WHERE transaction_id IS NOT NULL;

CREATE TABLE audit_segments (
  number    bigint      PRIMARY KEY,
  hour      timestamptz NOT NULL,
  backfill  boolean     NOT NULL,
  row_count bigint      NOT NULL,
  hash      bytea       NOT NULL,
  previous  bytea       NOT NULL,
  manifest  text        NOT NULL,
  sealed_at timestamptz NOT NULL
);

CREATE TABLE sessions (
  session  text        NOT NULL,
  device   text        NOT NULL,
  began_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session, device)
);

-- +goose StatementBegin
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
-- +goose StatementEnd

-- audit_protect makes a table append-only. Triggers of a partitioned table would leave
-- its partitions with DETACH, so each partition has its own.
-- +goose StatementBegin
CREATE FUNCTION audit_protect(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT relkind FROM pg_class WHERE oid = target) = 'r' THEN
    EXECUTE format('CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit_refuse()', target);
  END IF;
  EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()', target);
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_app') THEN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM holdfast_app', target);
  END IF;
END $$;
-- +goose StatementEnd

-- audit_default takes what falls into no month, so that intake never depends on
-- somebody having made one.
-- +goose StatementBegin
CREATE FUNCTION audit_default() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;
  PERFORM audit_protect('audit_events_default');
END $$;
-- +goose StatementEnd

-- audit_make_partitions makes room for this month and the next two.
-- +goose StatementBegin
CREATE FUNCTION audit_make_partitions() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
  month timestamptz;
  name text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('holdfast audit partitions ' || current_schema(), 0));
  FOR i IN 0..2 LOOP
    month := date_trunc('month', now()) + make_interval(months => i);
    name := to_char(month, '"audit_events_"YYYY_MM');
    CONTINUE WHEN to_regclass(name) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I PARTITION OF audit_events FOR VALUES FROM (%L) TO (%L)', name, month, month + interval '1 month');
      PERFORM audit_protect(name::regclass);
    EXCEPTION WHEN check_violation THEN
      -- The default partition holds events of this month already, and keeps them.
      RAISE WARNING 'the events of % stay in the default partition', name;
    END;
  END LOOP;
END $$;
-- +goose StatementEnd

-- audit_release lets go of partitions whose every event is older than before, and than
-- two days: they become tables of their own, append-only as ever, for the owner to archive
-- and drop. Sessions from before that time are forgotten, some at a time.
-- +goose StatementBegin
CREATE FUNCTION audit_release(before timestamptz) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
  until timestamptz := least(before, now() - interval '2 days');
  part record;
  name text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('holdfast audit partitions ' || current_schema(), 0));
  FOR part IN
    SELECT c.relname, to_timestamp(right(c.relname, 7), 'YYYY_MM') + interval '1 month' AS ends
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_events'::regclass AND c.relname ~ '^audit_events_[0-9]{4}_[0-9]{2}$' ORDER BY c.relname
  LOOP
    CONTINUE WHEN part.ends > until;
    EXECUTE format('ALTER TABLE audit_events DETACH PARTITION %I', part.relname);
    RETURN NEXT part.relname;
  END LOOP;
  IF (SELECT max(at) < until FROM audit_events_default) THEN
    LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE; -- an event may just be coming
  END IF;
  IF (SELECT max(at) < until FROM audit_events_default) THEN
    name := 'audit_events_default_' || to_char(now(), 'YYYYMMDDHH24MISSUS');
    ALTER TABLE audit_events DETACH PARTITION audit_events_default;
    EXECUTE format('ALTER TABLE audit_events_default RENAME TO %I', name);
    PERFORM audit_default();
    RETURN NEXT name;
  END IF;
  DELETE FROM sessions WHERE ctid = ANY (ARRAY(SELECT s.ctid FROM sessions s WHERE s.began_at < until LIMIT 10000));
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
  function regprocedure;
BEGIN
  FOREACH function IN ARRAY ARRAY['audit_refuse()', 'audit_protect(regclass)', 'audit_default()', 'audit_make_partitions()', 'audit_release(timestamptz)']::regprocedure[] LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', function, current_schema());
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function);
  END LOOP;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_app') THEN
    GRANT EXECUTE ON FUNCTION audit_make_partitions(), audit_release(timestamptz) TO holdfast_app;
    REVOKE UPDATE, DELETE, TRUNCATE ON sessions FROM holdfast_app;
  END IF;
  PERFORM audit_protect('audit_events');
  PERFORM audit_protect('audit_segments');
  PERFORM audit_default();
  PERFORM audit_make_partitions();
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION audit_release(timestamptz);
DROP FUNCTION audit_make_partitions();
DROP FUNCTION audit_default();
DROP FUNCTION audit_protect(regclass);
DROP TABLE sessions;
DROP TABLE audit_segments;
DROP TABLE audit_events;
DROP TYPE audit_event;
DROP FUNCTION audit_refuse() CASCADE;
