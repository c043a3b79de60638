"""What runs on a microcontroller board beside its model: C sources, and the protocol that they speak."""
