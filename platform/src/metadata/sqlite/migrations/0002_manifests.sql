-- Manifests that are not known to be in deep storage yet.
CREATE TABLE manifests_waiting (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;

INSERT INTO counters (name, value) VALUES ('manifest', 0), ('complete_manifest', 0);

-- 1 once every folder of the cluster carries its identity.
ALTER TABLE cluster ADD COLUMN marked INTEGER NOT NULL DEFAULT 0;
