"""Buffers with sizes and live ranges in, offsets out."""
