"""Devices: which there are (inventory), how to talk to their agent (session, client), what they lack (provision)."""
