"""Structured channel pruning of tf_keras models: which channels belong together, which matter least, and the cut."""
