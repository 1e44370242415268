-- Who leads under a name; nobody once it is given back. A row stays, so that its epoch only rises.
CREATE TABLE leases (
    name TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT,
    epoch BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
