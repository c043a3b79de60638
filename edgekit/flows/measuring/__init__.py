"""How a model is measured on a device and when a figure may be believed: the host side of edgekit-bench/1."""
