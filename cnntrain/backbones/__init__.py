"""Pretrained backbones: image networks that ONNX Runtime runs once per image, to turn it into features."""
