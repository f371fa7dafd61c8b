"""``cnntrain export``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, Overrides, RunArgument
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results

OnnxOption = Annotated[
    Path, typer.Option("--onnx", metavar="FILE", help="ONNX file to write; an existing file is never overwritten.")
]
VerifyOption = Annotated[
    bool,
    typer.Option("--verify", help="Compare the outputs of ONNX Runtime with cnntrain's on the run's images."),
]


def export(
    run: RunArgument,
    onnx: OnnxOption,
    overrides: Overrides = None,
    verify: VerifyOption = False,
    json: JsonOption = False,
) -> None:
    """Export the network in RUN to ONNX.

    The model takes pixels as bytes, or as floats in 0..1 if the network was trained on arrays that are not bytes,
    and contains the class names. Requires: pip install "cnntrain[onnx]". Exit status 3: --verify found a difference
    above 1e-5, and nothing was written.
    """
    with errors_as_messages():
        from cnntrain.onnx_export.export import export  # imported late: `cnntrain --help` needs none of it

        result = export(run, onnx, verify, overrides or ())
        if json:
            print_json(result)
            return
        console = results()
        console.print(f"wrote {result['onnx']}: opset {result['opset']}, {result['bytes']:,} bytes", soft_wrap=True)
        report = result["verified"]
        if report:
            others = report["classes_that_differ"]
            console.print_sentence(
                f"verified on {report['samples']:,} images of the {report['split']} split: largest difference "
                f"{report['largest_difference']:.1e}, "
                + (f"another class for {others:,} of them" if others else "the same class for all of them")
            )
