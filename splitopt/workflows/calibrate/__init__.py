"""A board's cost table, measured on generated models of one op each."""
