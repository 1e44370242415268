-- Changes of tasks and refused events, which no manifest says and no log repeats.
INSERT INTO counters (name, value) VALUES ('unpublished_changes', 0);
