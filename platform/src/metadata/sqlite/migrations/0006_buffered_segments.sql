-- Segments that realtime nodes buffer: their rows are acknowledged, or about to be, and not published.
CREATE TABLE buffered_segments (
    datasource TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (datasource, start_ms, end_ms, version, partition)
) STRICT, WITHOUT ROWID;

-- Who reserved the id; nobody in rows from before.
ALTER TABLE pending_segments ADD COLUMN owner TEXT;
