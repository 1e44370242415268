-- A source has partitions, each with a position of its own: JSON in the words of the source. Logs, so
-- far the only sources, have one without a name, and their positions are numbers.
CREATE TABLE source_partitions (
    source_id TEXT NOT NULL,
    partition TEXT NOT NULL,
    position TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (source_id, partition)
) STRICT, WITHOUT ROWID;

INSERT INTO source_partitions (source_id, partition, position, state)
SELECT source_id, '', CAST(position AS TEXT), state FROM sources;

DROP TABLE sources;
