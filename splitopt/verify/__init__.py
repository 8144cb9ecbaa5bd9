"""Pieces against the model they were cut from: equal bit by bit, or within an accuracy limit."""
