"""`python -m edge` is the anyecg command."""

from edge.cli import main

main()
