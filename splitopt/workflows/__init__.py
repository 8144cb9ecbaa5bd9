"""What splitopt does, one file or folder for each command."""
