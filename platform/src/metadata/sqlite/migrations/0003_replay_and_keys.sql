-- What reading a source on from its position depends on, as its owner wrote it.
ALTER TABLE sources ADD COLUMN state TEXT NOT NULL DEFAULT '';

-- Milliseconds that servers have run on this store, all runs together: ages of idempotency keys are
-- counted in it, because clocks step and down time is no reason to forget.
INSERT INTO counters (name, value) VALUES ('uptime_ms', 0);

-- The key's request, as a hash; keys from before this version have none.
ALTER TABLE idempotency ADD COLUMN body_hash TEXT;
ALTER TABLE idempotency ADD COLUMN published_uptime_ms INTEGER NOT NULL DEFAULT 0;
DROP INDEX idempotency_by_time;
CREATE INDEX idempotency_by_uptime ON idempotency (published_uptime_ms);

-- Letters of log records up to this sequence are kept.
ALTER TABLE dead_letter_totals ADD COLUMN log_sequence INTEGER NOT NULL DEFAULT 0;
