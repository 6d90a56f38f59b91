-- Bearer tokens, by the sha256 of what their holders show. Revoked ones stay.
CREATE TABLE access_tokens (
    name text NOT NULL PRIMARY KEY,
    digest text NOT NULL UNIQUE,
    scopes text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);
