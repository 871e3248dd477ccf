-- +goose NO TRANSACTION
-- +goose Up
-- A transaction is found by its id alone as well. Each statement may run again after a
-- crash between any two.
DROP INDEX CONCURRENTLY IF EXISTS transactions_id_new;
CREATE UNIQUE INDEX CONCURRENTLY transactions_id_new ON transactions (id, stream);
ALTER TABLE transactions DROP CONSTRAINT IF EXISTS transactions_by_id, DROP CONSTRAINT IF EXISTS transactions_by_id_anywhere,
  ADD CONSTRAINT transactions_by_id_anywhere UNIQUE USING INDEX transactions_id_new;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS transactions_id_old;
CREATE UNIQUE INDEX CONCURRENTLY transactions_id_old ON transactions (stream, id);
ALTER TABLE transactions DROP CONSTRAINT IF EXISTS transactions_by_id, DROP CONSTRAINT IF EXISTS transactions_by_id_anywhere,
  ADD CONSTRAINT transactions_by_id UNIQUE USING INDEX transactions_id_old;
