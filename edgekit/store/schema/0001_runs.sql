-- Runs and their raw measurements. Rows are written once: changing or deleting one is an error.
-- Statistics are computed from the samples when asked, never stored.

PRAGMA application_id = 1701078891;  -- 'edgk'

CREATE TABLE runs (
  run_id          TEXT PRIMARY KEY,  -- UTC timestamp and 8 hex digits, e.g. 20261102T142630-ed4566ab
  created_utc     TEXT NOT NULL,     -- ISO 8601 with microseconds and Z
  command         TEXT,
  status          TEXT NOT NULL CHECK (status IN ('complete', 'failed', 'incomplete')),
  device          TEXT,
  target          TEXT,
  model_digest    TEXT,              -- SHA-256 of what the user gave, of what ran, and of what was sent
  artifact_digest TEXT,
  bundle_digest   TEXT,
  document        TEXT NOT NULL      -- what the command prints with --json
) STRICT;

CREATE INDEX runs_by_time ON runs (created_utc);
CREATE INDEX runs_by_device ON runs (device, created_utc);
CREATE INDEX runs_by_artifact ON runs (artifact_digest, created_utc);

CREATE TABLE measurements (
  run_id          TEXT PRIMARY KEY REFERENCES runs,
  device          TEXT NOT NULL,
  artifact_digest TEXT NOT NULL,
  provenance      TEXT NOT NULL,
  validity        TEXT NOT NULL,     -- JSON: list of flags
  plan            TEXT NOT NULL,     -- JSON: how it was measured
  memory          TEXT NOT NULL,     -- JSON: {"baseline_rss_bytes", "peak_rss_bytes"} or null
  memory_reason   TEXT NOT NULL,     -- JSON: why memory is null, or null
  environment     TEXT NOT NULL      -- JSON: facts of the machine before and after
) STRICT;

CREATE TABLE process_runs (
  run_id     TEXT NOT NULL REFERENCES measurements,
  position   INTEGER NOT NULL CHECK (position >= 0),
  import_ns  INTEGER NOT NULL,
  load_ns    INTEGER NOT NULL,
  first_ns   INTEGER NOT NULL,
  warmup_ns  BLOB NOT NULL CHECK (length(warmup_ns) % 8 = 0),   -- int64 little-endian, in the order of the calls
  samples_ns BLOB NOT NULL CHECK (length(samples_ns) % 8 = 0),
  PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER runs_are_not_changed BEFORE UPDATE ON runs
BEGIN SELECT RAISE(ABORT, 'runs are immutable'); END;

CREATE TRIGGER runs_are_not_deleted BEFORE DELETE ON runs
BEGIN SELECT RAISE(ABORT, 'runs are immutable'); END;

CREATE TRIGGER measurements_are_not_changed BEFORE UPDATE ON measurements
BEGIN SELECT RAISE(ABORT, 'measurements are immutable'); END;

CREATE TRIGGER measurements_are_not_deleted BEFORE DELETE ON measurements
BEGIN SELECT RAISE(ABORT, 'measurements are immutable'); END;

CREATE TRIGGER process_runs_are_not_changed BEFORE UPDATE ON process_runs
BEGIN SELECT RAISE(ABORT, 'process runs are immutable'); END;

CREATE TRIGGER process_runs_are_not_deleted BEFORE DELETE ON process_runs
BEGIN SELECT RAISE(ABORT, 'process runs are immutable'); END;
