"""Export to ONNX, for runtimes that are not this one (lesson 10)."""
