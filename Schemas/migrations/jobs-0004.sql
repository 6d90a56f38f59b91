-- Rows of jobs that have ended move from the tables in which work goes on to tables of the same name with _history
-- behind it. Sessions first, for that is the order in which transactions lock.

-- As expires_at, but only coordinators that know of history write it: where the two differ, an older one was the last
-- to hear of the session, and would miss what has moved.
ALTER TABLE sessions ADD COLUMN heard_until bigint NOT NULL DEFAULT 0;

-- 0: all rows of the job are where work goes on; 1: on their way to history; 2: all in history. No job is open with
-- rows in history: a coordinator that does not know of them cannot open it.
ALTER TABLE jobs ADD COLUMN history bigint NOT NULL DEFAULT 0
    CHECK (history = 0 OR state IN ('done', 'failed', 'cancelled'));
CREATE INDEX jobs_ended ON jobs (finished_at, id) WHERE finished_at IS NOT NULL AND history < 2;

-- When a coordinator was last heard of that does not know of history; at first, when the first one came that does.
CREATE TABLE older_coordinators (
    name text NOT NULL PRIMARY KEY,
    heard_at bigint NOT NULL
);

-- Nobody holds these.
CREATE TABLE work_items_history (
    job text NOT NULL,
    ordinal bigint NOT NULL,
    stage text NOT NULL,
    state text NOT NULL,
    cost bigint NOT NULL,
    memory bigint NOT NULL,
    fan_in bigint NOT NULL,
    dependencies_left bigint NOT NULL,
    not_before bigint NOT NULL,
    fence bigint NOT NULL,
    lease_id text,
    attempts bigint NOT NULL,
    failures bigint NOT NULL,
    losses bigint NOT NULL,
    interruptions bigint NOT NULL,
    rewinds bigint NOT NULL,
    forgiven_attempts bigint NOT NULL,
    result_digest text,
    last_error text,
    PRIMARY KEY (job, ordinal)
);
CREATE INDEX work_items_history_progress ON work_items_history (job, state, cost);

CREATE TABLE item_dependencies_history (
    job text NOT NULL,
    child bigint NOT NULL,
    parent bigint NOT NULL,
    PRIMARY KEY (job, child, parent)
);

CREATE TABLE attempts_history (
    job text NOT NULL,
    ordinal bigint NOT NULL,
    attempt bigint NOT NULL,
    lease_id text NOT NULL,
    fence bigint NOT NULL,
    session text NOT NULL,
    node text NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint,
    outcome text,
    message text,
    PRIMARY KEY (job, ordinal, attempt)
);

-- All there is, wherever it lies.
CREATE VIEW all_work_items AS
    SELECT job, ordinal, stage, state, cost, memory, fan_in, dependencies_left, not_before, fence, lease_id, session,
        attempts, failures, losses, interruptions, rewinds, forgiven_attempts, result_digest, last_error
    FROM work_items
    UNION ALL
    SELECT job, ordinal, stage, state, cost, memory, fan_in, dependencies_left, not_before, fence, lease_id,
        CAST(NULL AS text), attempts, failures, losses, interruptions, rewinds, forgiven_attempts, result_digest,
        last_error
    FROM work_items_history;

CREATE VIEW all_item_dependencies AS
    SELECT job, child, parent FROM item_dependencies
    UNION ALL
    SELECT job, child, parent FROM item_dependencies_history;

CREATE VIEW all_attempts AS
    SELECT job, ordinal, attempt, lease_id, fence, session, node, started_at, ended_at, outcome, message FROM attempts
    UNION ALL
    SELECT job, ordinal, attempt, lease_id, fence, session, node, started_at, ended_at, outcome, message
    FROM attempts_history;

-- What a session was given lately is found without passing all that it was ever given, which an open transaction keeps.
CREATE INDEX work_items_held ON work_items (session, claimed_at) WHERE state = 'leased';
DROP INDEX work_items_leased;
