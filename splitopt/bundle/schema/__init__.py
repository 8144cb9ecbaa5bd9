"""The documents of a bundle and of a sweep, as frozen models: one file for each JSON file."""
