"""Layers for cores with the M-profile vector extension (Armv8.1-M MVE, Helium): packed weights, and what they need."""
