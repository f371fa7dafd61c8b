"""The ``cnntrain`` command, assembled from its subcommands; ``main`` is the console script."""

import io
import os
import sys
from typing import Annotated

import typer

from cnntrain.cli.commands.bench import bench
from cnntrain.cli.commands.data import data
from cnntrain.cli.commands.diff import diff
from cnntrain.cli.commands.doctor import doctor
from cnntrain.cli.commands.eval import evaluate
from cnntrain.cli.commands.explain import explain
from cnntrain.cli.commands.export import export
from cnntrain.cli.commands.gradcheck import gradcheck
from cnntrain.cli.commands.init import init
from cnntrain.cli.commands.predict import predict
from cnntrain.cli.commands.replay import replay
from cnntrain.cli.commands.report import report
from cnntrain.cli.commands.resume import resume
from cnntrain.cli.commands.runs import runs
from cnntrain.cli.commands.schema import schema
from cnntrain.cli.commands.summary import summary
from cnntrain.cli.commands.sweep import sweep
from cnntrain.cli.commands.train import train
from cnntrain.cli.process import set_up_process
from cnntrain.cli.tensorboard_option import TensorBoardCommand
from cnntrain.cli.usage import Commands
from cnntrain.launcher import launched
from cnntrain.streams import READABLE, tolerant_stream


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # imported late: `cnntrain --help` does not need it

        typer.echo(f"cnntrain {version('cnntrain')}")
        raise typer.Exit


# Plain help and usage errors: the same on a terminal, in a log and in a pipe.
app = typer.Typer(
    name="cnntrain",
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="To get started: cnntrain train digits",
)


@app.callback()
def cnntrain(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Train convolutional neural networks from a YAML file on a CPU, with proven gradients."""


app.command("init", epilog="Example: cnntrain init photos")(init)
app.command("train", cls=TensorBoardCommand, epilog="Example: cnntrain train digits training.alpha=0.01")(train)
app.command("resume", cls=TensorBoardCommand, epilog="Example: cnntrain resume runs/digits training.Max=50")(resume)
app.command("sweep", epilog="Example: cnntrain sweep digits training.alpha=1e-3..1e-1 trials=20")(sweep)
app.command("replay", epilog="Example: cnntrain replay runs/diverged")(replay)
app.command("eval", epilog="Example: cnntrain eval runs/digits --split validation")(evaluate)
app.command("report", epilog="Example: cnntrain report runs/digits --html digits.html")(report)
app.command("runs", epilog="Example: cnntrain runs runs/digits runs/digits-2")(runs)
app.command("diff", epilog="Example: cnntrain diff runs/digits runs/digits-2")(diff)
app.command("predict", epilog="Example: cnntrain predict runs/photos holiday.jpg Images --top 3")(predict)
app.command("explain", epilog="Example: cnntrain explain runs/digits --layer 2 --html digits.html")(explain)
app.command("export", epilog="Example: cnntrain export runs/digits --onnx digits.onnx --verify")(export)
app.command("gradcheck", epilog="Example: cnntrain gradcheck digits --inject layers.0.W:no_flip")(gradcheck)
app.command("doctor", epilog="Example: cnntrain doctor digits training.alpha=0.1")(doctor)
app.command("summary", epilog="Example: cnntrain summary digits network.layers.0.conv.K=8")(summary)
app.command("bench", epilog="Example: cnntrain bench mnist training.batch_size=32 --workers 2")(bench)
app.command("schema", epilog="Example: cnntrain schema > cnntrain.schema.json")(schema)
app.add_typer(data, epilog="Example: cnntrain data info mnist --sheet mnist.png")


def _make_streams_safe() -> None:
    """Keep a command alive whatever characters it prints, and if a stream is closed or cannot be written."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
        else:
            stream = tolerant_stream(stream, needed=name == "stdout")
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=READABLE)
        setattr(sys, name, stream)


def main() -> None:
    """Run the command line."""
    set_up_process()
    _make_streams_safe()
    launch = launched()
    if launch is None:
        app()
    else:
        from cnntrain.cli.ranks import run_ranks  # needed under MPI only

        run_ranks(launch, app)
