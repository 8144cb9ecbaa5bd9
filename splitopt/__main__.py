"""`python -m splitopt`."""

from splitopt.cli.app import main

main()
