"""Compression and conversion steps; one pass per file, each reads one artifact and writes another."""
