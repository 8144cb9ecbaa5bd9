"""ONNX nodes that no kernel of TFLM stands for, written in others that have one."""
