-- The coordinator's book. Times are milliseconds since 1970, and for showing only.
--
-- A task is known to the other tables by its place, `seq`, and not by its id, which is drawn at random: what is written about
-- a new task lies beside what was written last, and costs the same however many there are.

CREATE TABLE tasks (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    description    TEXT    NOT NULL,
    capabilities   TEXT    NOT NULL,
    status         TEXT    NOT NULL
        CHECK (status IN ('pending', 'bidding', 'assigned', 'running', 'completed', 'failed')),
    assigned_agent TEXT,
    winning_bid    INTEGER,
    result         TEXT,
    auctions       INTEGER NOT NULL DEFAULT 0,
    -- The event by which the last of them opened.
    opened         INTEGER NOT NULL DEFAULT 0,
    attempts       INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    completed_at   INTEGER
) STRICT;
CREATE INDEX tasks_by_status ON tasks (status, seq);
CREATE INDEX tasks_by_agent ON tasks (assigned_agent, seq) WHERE assigned_agent IS NOT NULL;

CREATE TABLE bids (
    seq     INTEGER PRIMARY KEY,
    task    INTEGER NOT NULL REFERENCES tasks (seq),
    auction INTEGER NOT NULL,
    agent   TEXT    NOT NULL,
    sats    INTEGER NOT NULL CHECK (sats > 0),
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX bids_by_task ON bids (task, seq);

CREATE TABLE attempts (
    seq         INTEGER PRIMARY KEY,
    token       TEXT    NOT NULL UNIQUE,
    task        INTEGER NOT NULL REFERENCES tasks (seq),
    number      INTEGER NOT NULL,
    agent       TEXT    NOT NULL,
    state       TEXT    NOT NULL
        CHECK (state IN ('assigned', 'running', 'completed', 'failed', 'superseded')),
    assigned_at INTEGER NOT NULL,
    ended_at    INTEGER,
    UNIQUE (task, number)
) STRICT;
-- What is promised of attempts, held by the file itself: one at a time, and one completion.
CREATE UNIQUE INDEX attempts_open ON attempts (task) WHERE state IN ('assigned', 'running');
CREATE UNIQUE INDEX attempts_completed ON attempts (task) WHERE state = 'completed';

CREATE TABLE agents (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    capabilities  TEXT    NOT NULL,
    registered    INTEGER NOT NULL,
    online        INTEGER NOT NULL,
    registered_at INTEGER NOT NULL,
    last_seen     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a number that was told is never told again, whatever has been thrown away since.
CREATE TABLE events (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    what TEXT    NOT NULL
) STRICT;

CREATE TABLE submissions (
    key       TEXT    NOT NULL PRIMARY KEY,
    digest    TEXT    NOT NULL,
    first_seq INTEGER NOT NULL,
    count     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
