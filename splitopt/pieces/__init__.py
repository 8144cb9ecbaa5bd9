"""Pieces: the .tflite files written from segments, and the proof that they equal the model."""
