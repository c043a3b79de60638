-- What edgekit-bench/1 adds to a measurement. Rows of schema 1 keep their meaning through the defaults.

ALTER TABLE measurements ADD COLUMN doubts TEXT NOT NULL DEFAULT '[]';               -- JSON: [{"flag", "reason"}]
ALTER TABLE measurements ADD COLUMN memories TEXT NOT NULL DEFAULT '[]';             -- JSON: one object a process
ALTER TABLE measurements ADD COLUMN operators TEXT NOT NULL DEFAULT '[]';            -- JSON: one object an operator
ALTER TABLE measurements ADD COLUMN operators_reason TEXT NOT NULL DEFAULT 'null';   -- JSON: why there are none, or null
ALTER TABLE measurements ADD COLUMN instructions TEXT NOT NULL DEFAULT 'null';       -- JSON: of one call, or null
ALTER TABLE measurements ADD COLUMN instructions_reason TEXT NOT NULL DEFAULT 'null';

ALTER TABLE process_runs ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';  -- JSON: conditions, windows, stages, sentinel...
