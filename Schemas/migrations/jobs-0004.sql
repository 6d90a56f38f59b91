-- What a session was given lately is found without passing all that it was ever given, which an open transaction keeps.
CREATE INDEX work_items_held ON work_items (session, claimed_at) WHERE state = 'leased';
DROP INDEX work_items_leased;
