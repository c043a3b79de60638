"""Search: the best models for a device within a budget, with the device in the loop."""
