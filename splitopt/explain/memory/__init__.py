"""Why memory is what it is: of a model, and of a run."""
