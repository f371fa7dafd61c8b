"""Weights files: what is in them, and what is said about those that cannot be used."""

import json
import os
import struct
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import cnntrain
from cnntrain.builder import build_for, load_config_data
from cnntrain.config import config_from_dict
from cnntrain.errors import ConfigError, WeightsError
from cnntrain.weights import weights

LAYERS = [
    {"conv": {"K": 2, "F": 3, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"activation": "softmax"}},
]


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def saved(make_config, tmp_path):
    """A network for the digits, and the file of its weights."""

    def save(dtype="float32"):
        config = make_config(LAYERS, data={"source": "digits"}, dtype=dtype, seed=5)
        data = load_config_data(config)
        network = build_for(config, data)
        network.set_parameters({name: value + np.float32(0.25) for name, value in network.parameters().items()})
        weights.save(tmp_path / "a.safetensors", network, config, data)
        return network, config, tmp_path / "a.safetensors"

    return save


def read(path):
    """Tensors and metadata."""
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


@pytest.fixture
def changed(saved):
    """Writes the file anew after a change of its tensors and its metadata."""

    def change(tensors=lambda tensors: None, about=lambda about: None) -> Path:
        _, _, path = saved()
        found, metadata = read(path)
        described = json.loads(metadata["cnntrain"])
        tensors(found)
        about(described)
        save_file(found, path, metadata={"cnntrain": json.dumps(described)})
        return path

    return change


def sentence(path, load=cnntrain.load):
    """What is said about a file that cannot be used: one sentence that begins with the file."""
    with pytest.raises(WeightsError) as caught:
        load(path)
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def test_a_network_comes_back_as_it_was(saved, dtype):
    network, config, path = saved(dtype)
    for source in (path, str(path)):
        loaded = cnntrain.load(source)
        assert loaded.dtype == dtype
        for name, value in network.parameters().items():
            np.testing.assert_array_equal(loaded.parameters()[name], value)
    everything = weights.load_saved(path)
    assert everything.config == config
    assert everything.classes == tuple("0123456789")
    assert everything.preprocessing == load_config_data(config).preprocessing
    x = np.random.default_rng(0).normal(size=(3, 1, 8, 8))
    np.testing.assert_array_equal(everything.network.forward(x), network.forward(x))


def test_file_holds_all_that_is_needed_to_use_it(saved, dtype):
    network, config, path = saved(dtype)
    tensors, metadata = read(path)
    assert {name: (value.shape, value.dtype.name) for name, value in tensors.items()} == {
        "layers.0.W": ((2, 1, 3, 3), dtype),
        "layers.0.b": ((2,), dtype),
        "layers.2.W": ((10, 18), dtype),
        "layers.2.b": ((10,), dtype),
    }
    assert list(metadata) == ["cnntrain"]
    about = json.loads(metadata["cnntrain"])
    stored = config.resolved()
    for key in ("workers", "checkpoint_every", "tensorboard"):  # the weights do not depend on them
        del stored["training"][key]
    assert about["config"] == stored
    assert about["classes"] == list("0123456789")
    assert about["input"] == [1, 8, 8]
    assert about["preprocessing"] == load_config_data(config).preprocessing.to_dict()
    assert about["versions"] == {"cnntrain": cnntrain.__version__, "numpy": np.__version__}
    assert config_from_dict(about["config"], "again") == config
    for name, value in tensors.items():
        np.testing.assert_array_equal(value, network.parameters()[name])


def test_folder_stands_for_its_last_weights(saved, tmp_path):
    network, _, path = saved()
    path.rename(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(cnntrain.load(tmp_path).network.theta, network.theta)


def test_saving_replaces_the_file_and_leaves_nothing_else(saved, tmp_path):
    saved()
    network, _, path = saved()
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    np.testing.assert_array_equal(cnntrain.load(path).network.theta, network.theta)


def test_overrides_change_the_stored_config(saved):
    _, _, path = saved()
    assert weights.load_saved(path, ["data.validation=0.5"]).config.data.validation == 0.5
    with pytest.raises(ConfigError, match=r"data\.validation"):
        weights.load_saved(path, ["data.validation=2"])
    with pytest.raises(WeightsError, match=r"layers\.0\.W has shape \(2, 1, 3, 3\)"):
        weights.load_saved(path, ["network.layers.0.conv.K=3"])


def drop(name):
    return lambda mapping: mapping.pop(name)


def put(name, value):
    return lambda mapping: mapping.update({name: value})


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (drop("layers.0.b"), "layers.0.b missing"),
        (put("layers.7.W", np.zeros(3, "float32")), "layers.7.W unknown"),
        (put("layers.0.W", np.zeros((2, 1, 3, 2), "float32")), "layers.0.W has shape (2, 1, 3, 2)"),
        (put("layers.2.b", np.zeros((1, 10), "float32")), "layers.2.b has shape (1, 10)"),
        (put("layers.2.b", np.zeros(10, "int64")), "layers.2.b holds I64"),
        (put("layers.2.b", np.zeros(10, "float16")), "layers.2.b holds F16"),
        (
            put("layers.2.b", np.full(10, np.nan, "float32")),
            "layers.2.b holds values that are infinite or not",
        ),
        (put("layers.2.b", np.full(10, -np.inf, "float32")), "layers.2.b holds values that are infinite"),
        (lambda tensors: tensors.clear(), "layers.0.W, layers.0.b, layers.2.W, layers.2.b missing"),
    ],
)
def test_tensors_that_do_not_fit_are_named(changed, tensors, words):
    assert words in sentence(changed(tensors=tensors))


@pytest.mark.parametrize(
    ("key", "value"),  # ... for a key that is missing
    [
        *[(key, ...) for key in ("config", "classes", "input", "preprocessing")],
        ("config", {"network": {"layers": []}}),
        ("config", {"network": {"layers": [{"conv": {"K": "many"}}, {"fool": 1}]}}),
        ("config", "text"),
        ("config", None),
        ("input", [1, 8]),
        ("input", [1, 2, 2]),
        ("input", "1x8x8"),
        ("input", [1, 8, -8]),
        ("input", None),
        ("input", [1, 8, 1e99]),
        ("classes", ["a"]),
        ("classes", 10),
        ("preprocessing", {"mean": [0.1, 0.2, 0.3], "std": [1]}),
        ("preprocessing", {"mean": ["a"], "std": [1.0]}),
        ("preprocessing", None),
    ],
    ids=str,
)
def test_what_stands_beside_the_tensors_is_checked(changed, key, value):
    sentence(changed(about=drop(key) if value is ... else put(key, value)))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 5000, '"text"'])
def test_metadata_that_are_no_mapping_are_refused(saved, text):
    _, _, path = saved()
    save_file(read(path)[0], path, metadata={"cnntrain": text})
    assert "metadata" in sentence(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_file_of_another_program_is_refused(saved, metadata):
    _, _, path = saved()
    save_file(read(path)[0], path, metadata=metadata)
    assert "not written by cnntrain" in sentence(path)


def test_file_that_was_cut_is_refused(saved):
    _, _, path = saved()
    whole = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "not a whole safetensors file" in sentence(path)


@pytest.mark.parametrize(
    "content",
    [
        b"not a weights file at all",
        b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94",  # a pickle
        struct.pack("<Q", 2**60) + b"{}",  # a header that claims an exbibyte
        struct.pack("<Q", 2) + b"{}" + b"more",
        struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc",
    ],
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    sentence(tmp_path / "a.safetensors")


def test_type_that_numpy_does_not_know_is_refused(tmp_path):
    header = json.dumps({"layers.0.W": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    sentence(tmp_path / "a.safetensors")


def test_place_without_weights_is_told(tmp_path):
    assert "no weights" in sentence(tmp_path / "nothing.safetensors")
    with pytest.raises(WeightsError, match=r"weights\.safetensors: no weights"):
        cnntrain.load(tmp_path)


@contextmanager
def little_memory():
    """Fails where more than 10 MB are taken."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([{"conv": {"K": 60_000, "F": 8}}, {"fc": {"activation": "softmax"}}], "but the file holds 210 numbers"),
        ([{"fc": {"units": 10**9}}, {"fc": {"activation": "softmax"}}], "the network is too large"),
        (
            [{"conv": {"K": 9_999, "F": 1}}, {"batch_norm": {}}] * 2 + [{"fc": {"activation": "softmax"}}],
            "but the file holds 210 numbers",
        ),
    ],
)
def test_nothing_is_made_for_what_a_config_only_claims(changed, layers, words):
    path = changed(about=lambda about: about["config"]["network"].update(layers=layers))
    with little_memory():
        assert words in sentence(path)


def test_running_averages_count_as_numbers_of_the_network(changed):
    def claim(about):
        about["config"]["network"] = {"input": [350_000, 1, 1], "layers": [{"batch_norm": {}}]}
        about["config"]["training"]["loss"] = "mse"
        about.update(input=[350_000, 1, 1], preprocessing={"mean": [0.0] * 350_000, "std": [1.0] * 350_000})

    assert "the network has 1,050,000 weights, but the file holds 210 numbers" in sentence(changed(about=claim))


def test_tensors_that_do_not_fit_are_not_read(changed):
    path = changed(tensors=put("more", np.zeros(5_000_000)))
    with little_memory():
        assert "more unknown" in sentence(path)


def test_thousands_of_foreign_names_are_cut(changed):
    path = changed(tensors=lambda tensors: tensors.update({f"{i:09}": np.zeros(1) for i in range(2000)}))
    assert "... unknown" in sentence(path)


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes with names")
def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.safetensors")
    assert "a pipe or a device" in sentence(tmp_path / "a.safetensors")
