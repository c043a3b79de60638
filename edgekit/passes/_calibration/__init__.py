"""Ranges of activations from samples: what the float model computes, counted, and cut where quantization gains."""
