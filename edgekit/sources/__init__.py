"""Readers of the model files that people bring; one format per file, recognised by content."""
