"""TensorFlow Lite files as values: a reader that checks every offset and trusts nothing."""
