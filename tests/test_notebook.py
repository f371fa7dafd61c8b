"""In a real kernel: what cells show and what a saved notebook keeps, completion, the interrupt."""

import os
import re
import time

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

import cnntrain

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CONFIG = """import cnntrain
config = cnntrain.load_config("digits", ["training.Max=3", "training.workers=1"])"""
NO_WIDGETS = "import sys; sys.modules['ipywidgets'] = None"


def executed(folder, *cells):
    """Execute cells, save the notebook, and return the outputs of each as they are in the file."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    nbformat.write(notebook, folder / "saved.ipynb")
    return [cell.outputs for cell in nbformat.read(folder / "saved.ipynb", 4).cells]


@pytest.mark.parametrize("first", [CONFIG, f"{NO_WIDGETS}\n{CONFIG}"], ids=["widgets", "no widgets"])
def test_the_bar_of_a_saved_notebook_is_at_its_end(tmp_path, first):
    _, trained, early, resumed, loaded = executed(
        tmp_path,
        first,
        "run = cnntrain.train(config, plots=False)",
        "_ = cnntrain.train({**config.resolved(), 'training': {'Max': 99, 'patience': 1, 'workers': 1}}, plots=False)",
        "_ = cnntrain.resume(run, ['training.Max=4'], plots=False)",
        "data = cnntrain.load_data(config)",
    )
    for outputs, batches in ((trained, "123/123"), (early, None), (resumed, "164/164")):
        (output,) = outputs  # one bar, no warning, nothing on stderr
        assert output.output_type == "display_data"
        assert output.data["text/plain"].startswith("100%|")
        assert ("application/vnd.jupyter.widget-view+json" in output.data) == (first == CONFIG)
        assert batches is None or f" {batches} " in output.data["text/plain"]
    assert all(output.get("data", {}).get("text/plain", "") == "" for output in loaded)


def test_lines_figures_tables_and_yaml(tmp_path):
    _, lines, plot, network, config, data, nothing = executed(
        tmp_path,
        CONFIG,
        "run = cnntrain.train(config, plots=False, progress='lines')",
        "run.plot()",
        "run.network",
        "config",
        "data = cnntrain.load_data(config); data",
        "_ = cnntrain.train(config, plots=False, progress='none')",
    )
    text = "".join(output.text for output in lines)
    assert {output.name for output in lines} == {"stdout"}
    assert re.findall(r"^epoch (\d)/3: train loss \d\.\d{4}, .*; validation loss .* s$", text, re.MULTILINE) == [*"123"]
    assert plot[0].data["image/png"].startswith("iVBOR")  # though nobody imported pyplot
    assert network[0].data["text/html"].startswith("<table>")
    assert "<pre>data:" in config[0].data["text/html"]
    assert data[0].data["text/plain"].startswith("train      images 1293 x 1 x 8 x 8 uint8\n")
    assert nothing == []


@pytest.fixture
def kernel(tmp_path):
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_cell(client, code):
    reply = client.execute_interactive(code, timeout=120, output_hook=lambda message: None)
    assert reply["content"]["status"] == "ok", reply["content"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_the_interrupt_of_a_kernel_saves_the_run(kernel, tmp_path):
    manager, client = kernel
    run_cell(client, "import cnntrain; config = cnntrain.load_config('digits', ['training.Max=100000'])")
    client.execute("cnntrain.train(config, plots=False)")
    log = tmp_path / "runs" / "digits" / "metrics.jsonl"
    for _ in range(600):
        if log.exists() and log.read_text().count("\n") > 2:
            break
        time.sleep(0.1)
    manager.interrupt_kernel()
    content = client.get_shell_msg(timeout=60)["content"]
    assert (content["status"], content["ename"]) == ("error", "KeyboardInterrupt")
    assert content["evalue"] == "cnntrain.resume('runs/digits') continues the run"
    epochs = log.read_text().count("\n")
    run_cell(client, f"run = cnntrain.resume('runs/digits', ['training.Max={epochs + 2}'], plots=False)")
    run_cell(client, f"assert run['epochs'] == {epochs + 2} == len(run.history['train_loss'])")
    assert cnntrain.load(tmp_path / "runs" / "digits").in_shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("cnntrain.", {"train", "build", "load_data", "load_config", "resume", "evaluate", "gradcheck", "load"}),
        ("config.", {"data", "network", "training", "name", "resolved"}),
        ("run.", {"history", "plot", "network", "keys", "items", "values", "get"}),
        ("run.network.", {"forward", "trace", "loss_and_gradients", "parameters", "set_parameters", "in_shape"}),
        ("data.", {"train", "validation", "test", "classes"}),
        ("data.train.", {"images", "labels", "x", "files"}),
    ],
)
def test_completion(completions, code, shown):
    found = completions[code]
    assert shown <= found
    assert len(found) <= 14
    assert not [name for name in found if name.startswith("model_")]


@pytest.fixture(scope="module")
def completions(tmp_path_factory):
    """What TAB offers after each of the names."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path_factory.mktemp("kernel")))
    try:
        run_cell(client, CONFIG)
        run_cell(client, "run = cnntrain.train(config, plots=False, progress='none')")
        run_cell(client, "run.network; data = cnntrain.load_data(config)")
        found = {}
        for code in ("cnntrain.", "config.", "run.", "run.network.", "data.", "data.train."):
            content = client.complete(code, reply=True, timeout=30)["content"]
            found[code] = {match.removeprefix(code).lstrip(".") for match in content["matches"]}
        yield found
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
