"""Where to cut: segments, their options, bounds of them, the solve, and the plan."""
