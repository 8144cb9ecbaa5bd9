"""splitopt: cut a network into pieces that fit the SRAM of a Cortex-M55, and prove it."""

__version__ = "0.1.0"
