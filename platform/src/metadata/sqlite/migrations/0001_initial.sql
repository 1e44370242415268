CREATE TABLE cluster (uuid TEXT NOT NULL) STRICT;

CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('version', 0), ('sequence', 0);

CREATE TABLE datasources (
    name TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    schema_json TEXT NOT NULL,
    PRIMARY KEY (name, schema_version)
) STRICT, WITHOUT ROWID;

-- A row stays for ever, so that its id is never used again. payload is the published segment as
-- JSON, guarded by its own checksum because SQLite keeps none.
CREATE TABLE segments (
    id TEXT PRIMARY KEY,
    datasource TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    used INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    payload TEXT NOT NULL,
    payload_checksum INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_by_sequence ON segments (sequence);
CREATE INDEX segments_by_time ON segments (datasource, used, end_ms);

CREATE TABLE chunk_versions (
    datasource TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    next_partition INTEGER NOT NULL,
    PRIMARY KEY (datasource, start_ms, end_ms, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE pending_segments (
    datasource TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    PRIMARY KEY (datasource, start_ms, end_ms, version, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (source_id TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE publications (
    transaction_id TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;

CREATE TABLE idempotency (
    datasource TEXT NOT NULL,
    key TEXT NOT NULL,
    response_json TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (datasource, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (created_ms);

CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    task_type TEXT NOT NULL,
    datasource TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    duration_ms INTEGER,
    payload_json TEXT NOT NULL,
    progress TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_by_time ON tasks (created_ms);

CREATE TABLE dead_letters (
    datasource TEXT NOT NULL,
    number INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    origin TEXT NOT NULL,
    position INTEGER NOT NULL,
    offset_bytes INTEGER NOT NULL,
    reason TEXT NOT NULL,
    raw TEXT NOT NULL,
    PRIMARY KEY (datasource, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter_totals (
    datasource TEXT PRIMARY KEY,
    received INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
