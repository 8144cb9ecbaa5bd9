"""Firmware sources of a plan: the runner, the pieces as arrays, and what belongs to them."""
