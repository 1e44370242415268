-- What somebody set by name, every version of it. So far these were the schemas of datasources alone.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body_json TEXT NOT NULL,
    PRIMARY KEY (kind, name, version)
) STRICT, WITHOUT ROWID;

INSERT INTO documents (kind, name, version, body_json)
SELECT 'datasource', name, schema_version, schema_json FROM datasources;

DROP TABLE datasources;
