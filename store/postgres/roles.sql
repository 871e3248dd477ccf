-- Two roles for a database of its own: run this once, as a superuser, inside the
-- database that Holdfast is to use.
--
--   holdfast_owner  owns the schema and runs `holdfast migrate up`
--   holdfast_app    is what `holdfast serve` uses: it reads, inserts and updates,
--                   and can neither delete (but for uploads that have ended) nor
--                   change the schema; the audit log it can't update either
--
-- Give each a password (or another way in) of your own:
--   ALTER ROLE holdfast_app PASSWORD '…';

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_owner') THEN
    CREATE ROLE holdfast_owner LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_app') THEN
    CREATE ROLE holdfast_app LOGIN;
  END IF;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO holdfast_owner;
GRANT USAGE ON SCHEMA public TO holdfast_app;

-- What the owner's migrations make later is covered as well.
ALTER DEFAULT PRIVILEGES FOR ROLE holdfast_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO holdfast_app;
ALTER DEFAULT PRIVILEGES FOR ROLE holdfast_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO holdfast_app;

-- The audit log is append-only. In a database that was migrated before it had these
-- roles, this gives and takes what the migrations would have; run it as the tables' owner
-- or as a superuser.
DO $$
DECLARE
  part regclass;
BEGIN
  IF to_regclass('audit_events') IS NULL THEN
    RETURN;
  END IF;
  GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO holdfast_app;
  GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO holdfast_app;
  FOR part IN
    SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND (c.relname ~ '^audit_events' OR c.relname IN ('audit_segments', 'sessions'))
  LOOP
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM holdfast_app', part);
  END LOOP;
  GRANT EXECUTE ON FUNCTION audit_make_partitions(), audit_release(timestamptz) TO holdfast_app;
  IF to_regclass('uploads') IS NOT NULL THEN
    GRANT DELETE ON uploads TO holdfast_app;
  END IF;
END $$;
