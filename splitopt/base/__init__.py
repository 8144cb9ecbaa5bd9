"""Errors, units, text, and bounded reading of YAML and JSON; nothing about models."""
