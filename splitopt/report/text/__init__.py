"""Runs, sweeps, timings and comparisons as text."""
