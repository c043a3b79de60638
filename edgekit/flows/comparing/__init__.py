"""Two models, two runs, or one artifact in several places, held against each other."""
