"""The output folder of a run or a sweep: its documents, read and written here only."""
