-- Since when a segment is not used; for those that are not by now, from now on.
ALTER TABLE segments ADD COLUMN unused_ms INTEGER;
UPDATE segments SET unused_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000 WHERE used = 0;

-- 0: it is kept; 1: it is never used again, and its object goes; 2: its object is gone.
ALTER TABLE segments ADD COLUMN deletion INTEGER NOT NULL DEFAULT 0;

-- The key in payload, so that all who name an object are found.
ALTER TABLE segments ADD COLUMN object_key TEXT NOT NULL DEFAULT '';
UPDATE segments SET object_key =
    CASE WHEN json_valid(payload) THEN coalesce(json_extract(payload, '$.object_key'), '') ELSE '' END;
CREATE INDEX segments_by_object ON segments (object_key);
