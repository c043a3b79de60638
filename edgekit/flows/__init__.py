"""Use cases: values in, values out, progress by callback; they decide nothing about how things look."""
