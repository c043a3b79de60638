"""What outlives a command: results of passes (files by content) and of runs (a database)."""
