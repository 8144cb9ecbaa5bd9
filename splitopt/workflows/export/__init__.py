"""C++ sources of a plan for firmware: the runner, the pieces as arrays and the plan's tables."""
