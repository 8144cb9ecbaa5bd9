"""Plan → .tflite pieces, by cutting the int8 model or the ONNX model it was made from."""
