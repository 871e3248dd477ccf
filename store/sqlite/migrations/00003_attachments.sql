-- +goose Up
-- Files that are held, and the sites that hold a copy (a JSON array, the oldest copy first). A
-- row without sites is a file that was held, and is missing.
CREATE TABLE attachments (
  digest       BLOB    PRIMARY KEY,
  size         INTEGER NOT NULL,
  content_type TEXT    NOT NULL,
  sites        TEXT    NOT NULL,
  copies       INTEGER NOT NULL,
  stored_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX attachments_by_copies ON attachments (copies, digest);

-- Which files transactions name.
CREATE TABLE attachment_names (
  stream INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  digest BLOB    NOT NULL,
  size   INTEGER NOT NULL,
  PRIMARY KEY (stream, seq, digest)
) WITHOUT ROWID;

-- Files on their way in.
CREATE TABLE uploads (
  id            BLOB    PRIMARY KEY,
  device        TEXT    NOT NULL,
  shop          TEXT    NOT NULL,
  size          INTEGER NOT NULL,
  upload_offset INTEGER NOT NULL,
  announced     BLOB,
  content_type  TEXT    NOT NULL,
  metadata      TEXT    NOT NULL,
  site          TEXT    NOT NULL,
  state         BLOB,
  generation    INTEGER NOT NULL,
  finished      BLOB,
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_by_expiry ON uploads (expires_at, id);
CREATE INDEX uploads_by_device ON uploads (device) WHERE finished IS NULL;

-- +goose Down
DROP TABLE uploads;
DROP TABLE attachment_names;
DROP TABLE attachments;
