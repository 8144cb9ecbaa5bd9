"""A fixed order of items and the options to run its segments in, a choice of segments out."""
