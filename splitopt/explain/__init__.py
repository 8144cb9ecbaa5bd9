"""Why split models give wrong outputs, and why cuts save less memory than hoped: with evidence."""
