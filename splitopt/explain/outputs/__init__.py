"""Why the outputs of pieces differ from those of the whole model."""
