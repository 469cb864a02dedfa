"""Model files as ONNX files, which predict without torch."""
