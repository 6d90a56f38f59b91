-- Blobs that lie in the store, so that they can go when nothing needs them any more: arriving ones, which somebody is
-- about to write; live ones; condemned ones, which become live again when somebody asks for them; deleting ones, which
-- nobody is told of.
CREATE TABLE blobs (
    digest text NOT NULL PRIMARY KEY,
    state text NOT NULL,
    -- Tells one life of the blob from the next.
    arrived_at bigint NOT NULL,
    -- When somebody last asked for it or stored it, give or take some minutes; when it was condemned.
    touched_at bigint NOT NULL
);
CREATE INDEX blobs_deleting ON blobs (digest) WHERE state = 'deleting';

-- What coordinators share and nobody else knows, in hexadecimal digits.
CREATE TABLE secrets (
    name text NOT NULL PRIMARY KEY,
    value text NOT NULL
);
