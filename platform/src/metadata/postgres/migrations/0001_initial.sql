-- As SQLite's tables after all of its migrations, with the same names, so that statements are the same.
-- Texts are compared byte by byte; a column `rowid`, which SQLite has by itself, counts the rows of a
-- table in the order they came.
CREATE TABLE henge_schema (version BIGINT NOT NULL);
INSERT INTO henge_schema (version) VALUES (0);

CREATE TABLE cluster (
    uuid TEXT NOT NULL,
    -- 1 once every folder of the cluster carries its identity.
    marked BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE counters (name TEXT COLLATE "C" PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counters (name, value) VALUES
    ('version', 0), ('sequence', 0), ('manifest', 0), ('complete_manifest', 0), ('uptime_ms', 0),
    ('unpublished_changes', 0);

CREATE TABLE documents (
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body_json TEXT NOT NULL,
    PRIMARY KEY (kind, name, version)
);

-- A row stays for ever, so that its id is never used again. payload is the published segment as JSON,
-- guarded by its own checksum.
CREATE TABLE segments (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
    id TEXT COLLATE "C" PRIMARY KEY,
    datasource TEXT COLLATE "C" NOT NULL,
    start_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    version BIGINT NOT NULL,
    partition BIGINT NOT NULL,
    used BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    payload TEXT NOT NULL,
    payload_checksum BIGINT NOT NULL
);
CREATE UNIQUE INDEX segments_by_sequence ON segments (sequence);
CREATE INDEX segments_by_time ON segments (datasource, used, end_ms);

CREATE TABLE chunk_versions (
    datasource TEXT COLLATE "C" NOT NULL,
    start_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    version BIGINT NOT NULL,
    next_partition BIGINT NOT NULL,
    PRIMARY KEY (datasource, start_ms, end_ms, version)
);

CREATE TABLE pending_segments (
    datasource TEXT COLLATE "C" NOT NULL,
    start_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    version BIGINT NOT NULL,
    partition BIGINT NOT NULL,
    owner TEXT COLLATE "C",
    PRIMARY KEY (datasource, start_ms, end_ms, version, partition)
);

CREATE TABLE buffered_segments (
    datasource TEXT COLLATE "C" NOT NULL,
    start_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    version BIGINT NOT NULL,
    partition BIGINT NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (datasource, start_ms, end_ms, version, partition)
);

CREATE TABLE source_partitions (
    source_id TEXT COLLATE "C" NOT NULL,
    partition TEXT COLLATE "C" NOT NULL,
    position TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (source_id, partition)
);

CREATE TABLE publications (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
    transaction_id TEXT COLLATE "C" PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    outcome TEXT NOT NULL
);

CREATE TABLE idempotency (
    datasource TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    response_json TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    body_hash TEXT,
    published_uptime_ms BIGINT NOT NULL,
    PRIMARY KEY (datasource, key)
);
CREATE INDEX idempotency_by_uptime ON idempotency (published_uptime_ms);

CREATE TABLE tasks (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
    id TEXT COLLATE "C" PRIMARY KEY,
    task_type TEXT NOT NULL,
    datasource TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    error TEXT,
    duration_ms BIGINT,
    payload_json TEXT NOT NULL,
    progress TEXT NOT NULL
);
CREATE INDEX tasks_by_time ON tasks (created_ms);

CREATE TABLE dead_letters (
    datasource TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    origin TEXT NOT NULL,
    position BIGINT NOT NULL,
    offset_bytes BIGINT NOT NULL,
    reason TEXT NOT NULL,
    raw TEXT NOT NULL,
    PRIMARY KEY (datasource, number)
);

CREATE TABLE dead_letter_totals (
    datasource TEXT COLLATE "C" PRIMARY KEY,
    received BIGINT NOT NULL,
    log_sequence BIGINT NOT NULL
);

CREATE TABLE log_marks (datasource TEXT COLLATE "C" PRIMARY KEY, mark BYTEA NOT NULL);

CREATE TABLE manifests_waiting (number BIGINT PRIMARY KEY, body TEXT NOT NULL);
