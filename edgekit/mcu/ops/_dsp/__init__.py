"""Layers for cores with the DSP extension (Armv7E-M, Armv8-M with DSP): packed weights, and the proofs they need."""
