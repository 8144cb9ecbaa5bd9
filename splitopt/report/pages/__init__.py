"""HTML pages of runs and of sweeps."""
