-- How far the log of each datasource was durable when that was last noted: the bytes of a mark, which
-- have a checksum of their own.
CREATE TABLE log_marks (datasource TEXT PRIMARY KEY, mark BLOB NOT NULL) STRICT, WITHOUT ROWID;
