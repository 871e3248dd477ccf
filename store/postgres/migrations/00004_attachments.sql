-- +goose Up
-- Files that are held, and the sites that hold a copy, the oldest copy first. A row is
-- never deleted: one without sites is a file that was held, and is missing.
CREATE TABLE attachments (
  digest       bytea       PRIMARY KEY,
  size         bigint      NOT NULL,
  content_type text        NOT NULL,
  sites        text[]      NOT NULL,
  copies       integer     NOT NULL GENERATED ALWAYS AS (cardinality(sites)) STORED,
  stored_at    timestamptz NOT NULL DEFAULT now()
);
-- For those with too few copies: a look for each number of copies, in the order of digests.
CREATE INDEX attachments_by_copies ON attachments (copies, digest);

-- Which files transactions name.
CREATE TABLE attachment_names (
  stream bigint NOT NULL,
  seq    bigint NOT NULL,
  digest bytea  NOT NULL,
  size   bigint NOT NULL,
  PRIMARY KEY (stream, seq, digest)
);

-- Files on their way in.
CREATE TABLE uploads (
  id            uuid        PRIMARY KEY,
  device        text        NOT NULL,
  shop          text        NOT NULL,
  size          bigint      NOT NULL,
  upload_offset bigint      NOT NULL,
  announced     bytea,
  content_type  text        NOT NULL,
  metadata      text        NOT NULL,
  site          text        NOT NULL,
  state         bytea,
  generation    bigint      NOT NULL,
  finished      bytea,
  created_at    timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL
);
CREATE INDEX uploads_by_expiry ON uploads (expires_at, id);
CREATE INDEX uploads_by_device ON uploads (device) WHERE finished IS NULL;

-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'holdfast_app') THEN
    GRANT DELETE ON uploads TO holdfast_app;
  END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE uploads;
DROP TABLE attachment_names;
DROP TABLE attachments;
