-- The realtime node that accepted a task, and alone runs it. Until now there was one, whose name is 0.
ALTER TABLE tasks ADD COLUMN owner TEXT NOT NULL DEFAULT '0';

-- Letters of a log's records up to this sequence are kept. Until now a datasource had one log, of its name.
CREATE TABLE dead_letter_logs (log TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO dead_letter_logs (log, sequence) SELECT datasource, log_sequence FROM dead_letter_totals;
ALTER TABLE dead_letter_totals DROP COLUMN log_sequence;
