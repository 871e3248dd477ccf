-- +goose Up
-- A transaction is found by its id alone as well. Writers wait while the index is
-- built; clients keep what they have meanwhile. (CONCURRENTLY would wait for every
-- other session's snapshot, those of nodes that wait for this migration included.)
ALTER TABLE transactions DROP CONSTRAINT transactions_by_id, ADD CONSTRAINT transactions_by_id_anywhere UNIQUE (id, stream);

-- +goose Down
ALTER TABLE transactions DROP CONSTRAINT transactions_by_id_anywhere, ADD CONSTRAINT transactions_by_id UNIQUE (stream, id);
