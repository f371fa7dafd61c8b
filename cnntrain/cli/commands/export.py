"""``cnntrain export``."""

from pathlib import Path
from typing import Annotated

import typer

from cnntrain.cli.options import JsonOption, Overrides, RunArgument
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results

OnnxOption = Annotated[
    Path, typer.Option("--onnx", metavar="FILE", help="The ONNX file to write. No file is ever overwritten.")
]
VerifyOption = Annotated[
    bool,
    typer.Option("--verify", help="Compare its outputs in ONNX Runtime with our own, on the images of the run's data."),
]


def export(
    run: RunArgument,
    onnx: OnnxOption,
    overrides: Overrides = None,
    verify: VerifyOption = False,
    json: JsonOption = False,
) -> None:
    """Write the network in RUN as an ONNX file, for other programs to use.

    It takes pixels as bytes, or as floats in 0..1 if the network was trained on arrays that are not bytes, and holds
    the class names. This needs packages that are installed with: pip install
    "cnntrain[onnx]". Exit status 3 says that --verify found a difference above 1e-5; then nothing is written.
    """
    with errors_as_messages():
        from cnntrain.onnx_export.export import export  # imported late: `cnntrain --help` needs none of it

        result = export(run, onnx, verify, overrides or ())
        if json:
            print_json(result)
            return
        show = results()
        show.print(f"wrote {result['onnx']}: opset {result['opset']}, {result['bytes']:,} bytes", soft_wrap=True)
        report = result["verified"]
        if report:
            others = report["classes_that_differ"]
            show.print(
                f"verified on {report['samples']:,} images of the {report['split']} split: largest difference "
                f"{report['largest_difference']:.1e}, "
                + (f"another class on {others:,} of them" if others else "the same class on all of them"),
                soft_wrap=True,
            )
