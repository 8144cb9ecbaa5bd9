"""Estimated instructions on a Cortex-M55: what a plan adds to an inference, what an op takes.

Instructions, not cycles: counted on QEMU, which models no pipeline and no memory.
"""
