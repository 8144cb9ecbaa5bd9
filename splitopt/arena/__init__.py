"""TFLM's arena, predicted: what AllocateTensors puts where, byte for byte."""
