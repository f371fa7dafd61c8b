"""Networks in a form that other programs run: ONNX. The packages onnx and onnxruntime are imported only here."""

from cnntrain.exporting.export import export

__all__ = ["export"]
