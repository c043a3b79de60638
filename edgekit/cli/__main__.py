"""`python -m edgekit.cli`, for when the script is not on the PATH."""

from edgekit.cli import main

main()
