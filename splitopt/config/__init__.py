"""Jobs, boards, targets and sweeps: what a YAML file of each may hold."""
