"""Weights files in the safetensors format."""
