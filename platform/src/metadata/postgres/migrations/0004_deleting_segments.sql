-- Since when a segment is not used; for those that are not by now, from now on.
ALTER TABLE segments ADD COLUMN unused_ms BIGINT;
UPDATE segments SET unused_ms = CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT) WHERE used = 0;

-- 0: it is kept; 1: it is never used again, and its object goes; 2: its object is gone.
ALTER TABLE segments ADD COLUMN deletion BIGINT NOT NULL DEFAULT 0;

-- The key in payload, so that all who name an object are found.
ALTER TABLE segments ADD COLUMN object_key TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE segments SET object_key = coalesce(substring(payload FROM '"object_key":"([^"]*)"'), '');
CREATE INDEX segments_by_object ON segments (object_key);
