-- Jobs, work items and leases. One text for SQLite and PostgreSQL; what only one of them knows follows in a file of
-- its own. Times are milliseconds since 1970 by the database's clock; JSON is kept as text.

CREATE TABLE jobs (
    id text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    state text NOT NULL,
    priority bigint NOT NULL,
    recipe text NOT NULL,
    artifacts text NOT NULL,
    idempotency_key text UNIQUE,
    item_count bigint NOT NULL,
    cost_total bigint NOT NULL,
    last_event bigint NOT NULL,
    failure text,
    created_at bigint NOT NULL,
    finished_at bigint
);
CREATE INDEX jobs_newest ON jobs (created_at, id);
CREATE INDEX jobs_running ON jobs (priority, id) WHERE state = 'running';

-- Apart from jobs, because every claim writes it.
CREATE TABLE job_shares (
    job text NOT NULL PRIMARY KEY REFERENCES jobs (id),
    virtual_time bigint NOT NULL
);

CREATE TABLE work_items (
    job text NOT NULL REFERENCES jobs (id),
    ordinal bigint NOT NULL,
    stage text NOT NULL,
    state text NOT NULL,
    cost bigint NOT NULL,
    memory bigint NOT NULL,
    -- 1 where the resolver makes the item ready, and dependencies_left is not kept.
    fan_in bigint NOT NULL,
    dependencies_left bigint NOT NULL,
    not_before bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    lease_id text,
    session text,
    claimed_at bigint,
    deadline_at bigint,
    attempts bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0,
    losses bigint NOT NULL DEFAULT 0,
    interruptions bigint NOT NULL DEFAULT 0,
    rewinds bigint NOT NULL DEFAULT 0,
    -- Attempts up to this one no longer count against the item.
    forgiven_attempts bigint NOT NULL DEFAULT 0,
    result_digest text,
    last_error text,
    PRIMARY KEY (job, ordinal)
);
CREATE INDEX work_items_ready ON work_items (job, cost DESC, ordinal) WHERE state = 'ready';
CREATE INDEX work_items_leased ON work_items (session) WHERE state = 'leased';
CREATE INDEX work_items_fan_in ON work_items (job, ordinal) WHERE state = 'blocked' AND fan_in = 1;
CREATE INDEX work_items_progress ON work_items (job, state, cost);

-- What does not change during an item's life, out of the way of what does.
CREATE TABLE item_payloads (
    job text NOT NULL,
    ordinal bigint NOT NULL,
    label text NOT NULL,
    payload text NOT NULL,
    PRIMARY KEY (job, ordinal)
);

CREATE TABLE item_results (
    job text NOT NULL,
    ordinal bigint NOT NULL,
    result text NOT NULL,
    PRIMARY KEY (job, ordinal)
);

CREATE TABLE item_dependencies (
    job text NOT NULL,
    child bigint NOT NULL,
    parent bigint NOT NULL,
    PRIMARY KEY (job, child, parent)
);
CREATE INDEX item_dependencies_by_parent ON item_dependencies (job, parent, child);

-- The audit trail: a row per claim, closed when the attempt ends.
CREATE TABLE attempts (
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

-- One row per start of a worker process.
CREATE TABLE sessions (
    id text NOT NULL PRIMARY KEY,
    node text NOT NULL,
    slots bigint NOT NULL,
    memory bigint NOT NULL,
    stages text NOT NULL,
    opened_at bigint NOT NULL,
    expiry bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at bigint,
    progress text NOT NULL
);
CREATE INDEX sessions_live ON sessions (expires_at) WHERE ended_at IS NULL;

-- Which items failed lately on which node; a node with many of them gets no more for a while.
CREATE TABLE node_failures (
    node text NOT NULL,
    job text NOT NULL,
    ordinal bigint NOT NULL,
    failed_at bigint NOT NULL,
    PRIMARY KEY (node, job, ordinal)
);

-- Parts by the hash of all that went into them.
CREATE TABLE cache (
    key text NOT NULL PRIMARY KEY,
    digest text NOT NULL,
    part text NOT NULL
);
CREATE INDEX cache_by_digest ON cache (digest);

CREATE TABLE events (
    job text NOT NULL REFERENCES jobs (id),
    sequence bigint NOT NULL,
    time bigint NOT NULL,
    kind text NOT NULL,
    ordinal bigint,
    message text NOT NULL,
    PRIMARY KEY (job, sequence)
);

-- Who does the leader's duties, until when, and how often that has changed.
CREATE TABLE leadership (
    duty text NOT NULL PRIMARY KEY,
    holder text NOT NULL,
    term bigint NOT NULL,
    expires_at bigint NOT NULL
);
