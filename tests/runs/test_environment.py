"""What is said of the computer, and what is not."""

import getpass
import json
import os
import platform
from datetime import datetime

import numpy as np
from threadpoolctl import threadpool_info

from cnntrain.runs import environment as environments


def test_versions_processor_and_cores_are_told():
    content = environments.environment()
    assert content["numpy"] == content["packages"]["numpy"] == np.__version__
    assert platform.python_version() in content["python"]
    assert content["cores"] <= content["cores_of_machine"] == os.cpu_count()
    assert {library["version"] for library in content["blas"]} >= {
        library["version"] for library in threadpool_info() if library["user_api"] == "blas"
    }
    assert {"numpy", "typer", "pyyaml"} <= content["packages"].keys()
    assert "ruff" not in content["packages"]


def test_no_names_of_people_or_computers_and_no_paths():
    text = json.dumps(environments.environment())
    assert os.sep + "home" not in text
    assert "filepath" not in text
    for name in {getpass.getuser(), platform.node()} - {"root", "", "localhost"}:
        assert name not in text


def test_the_processor_is_named_where_linux_names_it(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU @ 3 GHz\nmodel name\t: Some CPU @ 3 GHz\n")
    assert environments.processor(tmp_path / "cpuinfo") == "Some CPU @ 3 GHz"
    assert environments.processor(tmp_path / "none") == (platform.processor() or platform.machine())


def test_a_run_keeps_it(tiny_config, record, tmp_path):
    record(tiny_config(), tmp_path / "run")
    content = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert datetime.fromisoformat(content.pop("started")) <= datetime.now().astimezone()
    assert content == environments.environment()
