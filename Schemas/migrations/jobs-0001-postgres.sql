-- Room on every page for the new version of a row, and a vacuum that keeps up with rows that change all the time.
ALTER TABLE work_items SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE job_shares SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE sessions SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
