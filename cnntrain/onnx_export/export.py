"""Export a run to an ONNX file."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from cnntrain.errors import ExportError, UsageError
from cnntrain.inference.predictor import Predictor
from cnntrain.storage import is_taken, write_new
from cnntrain.weights.weights import load_saved

THRESHOLD = 1e-5
"""Maximum difference between the outputs of ONNX Runtime and cnntrain, both in float32."""


def export(run: str | Path, onnx: str | Path, verify: bool = False, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Export the network of a run as an ONNX file.

    Args:
        run: A run folder or a ``.safetensors`` file.
        onnx: The file to write; it must not exist.
        verify: Whether to compare the outputs of ONNX Runtime with cnntrain's, on the images of the run's data, before
            the file is written.
        overrides: ``KEY=VALUE`` overrides of the stored config, such as ``data.path=...`` for data that moved.

    Returns:
        The JSON object that ``cnntrain export --json`` prints.

    Raises:
        UsageError: The packages are not installed, the file exists or cannot be written, or the network is too large.
        WeightsError: The weights are missing or malformed, or do not fit the data.
        DataError: The run's data, which ``verify`` needs, are missing or malformed.
        ExportError: The outputs of the file differ from the network's.
    """
    target = Path(onnx)
    require("onnx", *(["onnxruntime"] if verify else []))
    if target.is_dir():
        raise UsageError(f"{target}: this is a folder; give the name of a file, such as model.onnx")
    if is_taken(target):
        raise UsageError(f"{target}: exists already; remove it first, or give another name")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent} to write it into")

    from cnntrain.onnx_export.onnx_model import make_model, opset_of

    saved = load_saved(run, overrides)
    if verify:
        from cnntrain.onnx_export.verification import compare, data_for

        saved, dataset, split = data_for(saved)
    model = Predictor(saved)
    onnx_model = make_model(model)
    content = onnx_model.SerializeToString(deterministic=True)
    report = None
    if verify:
        report = compare(content, model, dataset, split)
        if not report["largest_difference"] <= THRESHOLD:
            raise ExportError(
                f"{target}: not written: on {report['samples']:,} images of the {report['split']} split the outputs "
                f"differ by up to {report['largest_difference']:.1e}, and {report['classes_that_differ']:,} classes "
                f"differ; up to {THRESHOLD:g} is rounding"
            )
    try:
        write_new(target, content)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error
    return {"onnx": str(target), "opset": opset_of(onnx_model), "bytes": len(content), "verified": report}


def require(*packages: str) -> None:
    """Raise UsageError unless the packages are installed; they are optional dependencies."""
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise UsageError(
                f"the package {package} is needed to export to ONNX, and it cannot be imported ({error}); install it "
                'with: pip install "cnntrain[onnx]"'
            ) from None
