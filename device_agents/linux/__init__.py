"""The agent for Linux devices: stdlib only, Python 3.8 or newer, gone when its connection closes."""
