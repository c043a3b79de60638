"""Values and rules that everything else is built on; no I/O beyond files, no foreign libraries."""
