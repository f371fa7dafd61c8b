"""Export to ONNX. Only this package imports onnx and onnxruntime."""
