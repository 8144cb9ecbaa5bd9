"""Where pieces run: the interpreters of the host, and simulators of the board."""
