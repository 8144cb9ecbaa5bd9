"""From an ONNX model to the int8 .tflite that is planned, and back to the model's own names."""
