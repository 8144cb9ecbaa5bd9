"""Models as graphs: what is in a .tflite file, and what is alive when it runs."""
