"""Export a run to a file that other programs run."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from cnntrain.errors import ExportError, UsageError
from cnntrain.inference.predictor import Predictor
from cnntrain.storage import is_taken, write_new
from cnntrain.weights.weights import load_saved

THRESHOLD = 1e-5
"""Largest difference between the outputs of two programs that compute the same in float32."""


def export(run: str | Path, onnx: str | Path, verify: bool = False, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Write a run's network as an ONNX file: what ``cnntrain export --json`` prints.

    Args:
        run: A run folder, or a ``.safetensors`` file.
        onnx: The file to write; there must be none of this name.
        verify: Let ONNX Runtime compute the images of the run's data from the new file, beside this program, before
            it is put in its place.
        overrides: ``KEY=VALUE`` words on the stored config, such as ``data.path=...`` for data that moved.

    Raises:
        UsageError: The packages are not installed, the file exists or cannot be written, or the network is too large.
        WeightsError: The weights are missing or malformed, or the data are not what they were trained for.
        DataError: ``verify`` needs the run's data, and they are missing or malformed.
        ExportError: The file computes something else than the network.
    """
    target = Path(onnx)
    require("onnx", *(["onnxruntime"] if verify else []))
    if target.is_dir():
        raise UsageError(f"{target}: this is a folder; give the name of a file, such as model.onnx")
    if is_taken(target):
        raise UsageError(f"{target}: exists already; remove it first, or give another name")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent} to write it into")

    from cnntrain.onnx_export.onnx_model import OPSET, make_model

    saved = load_saved(run, overrides)
    if verify:
        from cnntrain.onnx_export.verification import compare, data_for

        saved, dataset, split = data_for(saved)
    model = Predictor(saved)
    content = make_model(model).SerializeToString(deterministic=True)
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
    return {"onnx": str(target), "opset": OPSET, "bytes": len(content), "verified": report}


def require(*packages: str) -> None:
    """Raise UsageError unless the packages are installed; few people need them, so they do not come by themselves."""
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise UsageError(
                f"the package {package} is needed to export to ONNX, and it cannot be imported ({error}); install it "
                'with: pip install "cnntrain[onnx]"'
            ) from None
