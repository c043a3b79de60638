"""Search engines: one engine per file, behind the interface of `_base`; the studies of all are in one storage."""
