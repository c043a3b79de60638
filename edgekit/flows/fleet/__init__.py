"""Deploys to many devices: in waves, each device in a named state with its reason, and no further than it goes well."""
