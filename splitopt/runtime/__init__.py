"""Running TFLM: on this machine, in worker processes, and on a simulated Cortex-M55."""
