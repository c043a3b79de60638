"""How fast edgekit is, measured on this computer: one benchmark a file, started by `scripts/bench`."""
