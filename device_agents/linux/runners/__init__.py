"""One inference runtime per file; the file's name is the runtime's name."""
