"""The files that people write, read with care: targets, recipes and the project."""
