"""`python -m splitopt`."""

from splitopt.cli import main

main()
