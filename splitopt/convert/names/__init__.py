"""Which ONNX node became which op of the int8 model, and which tensor holds the same values."""
