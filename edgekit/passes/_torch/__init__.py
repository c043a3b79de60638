"""The child's side of everything that needs PyTorch; torch is imported inside functions only."""
