"""Networks in a form that other programs run: ONNX. The packages onnx and onnxruntime are imported only here."""
