"""Ready spaces of small nets, one a kind of data: `edgekit search --space edgekit.spaces.image:space` and the like."""
