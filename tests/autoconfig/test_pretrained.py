"""``cnntrain init`` chooses pretrained features for few images, if the extra is installed."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cnntrain
from cnntrain.autoconfig import pretrained
from cnntrain.autoconfig.init import init
from cnntrain.cli.app import app
from cnntrain.config import load_config


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(pretrained, "is_installed", lambda: True)


def test_few_photos_get_features_and_can_be_trained_as_they_are(installed, images):
    result = init(str(images(size=(50, 60), counts={"cat": 20, "dog": 19, "emu": 21})))
    assert (result["features"], result["image_shape"], result["parameters"]) == (
        "efficientnet-lite0",
        [3, 224, 224],
        3843,
    )
    config = load_config(result["config"])
    assert [entry.kind for entry in config.network.layers] == ["fc"]
    assert config.training.augmentation.changes_nothing
    assert "best for few images, here about 20 per class" in Path(result["config"]).read_text(encoding="utf-8")
    trained = cnntrain.train(config, out="run", plots=False)
    assert trained["train"]["accuracy"] > 0.9


def test_the_command_names_the_backbone(installed, images):
    shown = CliRunner().invoke(app, ["init", str(images(size=(50, 60)))]).stdout
    assert "on pretrained features of efficientnet-lite0" in shown
    shown = CliRunner().invoke(app, ["init", "photos", "--out", "b.yaml", "--json"]).stdout
    assert json.loads(shown)["features"] == "efficientnet-lite0"


@pytest.mark.parametrize(
    ("make", "overrides", "reason"),
    [
        ({"size": (50, 60), "counts": {"cat": 3, "dog": 398}}, [], "fewer than 200 images per class, here about 200"),
        ({"size": (20, 60)}, [], None),
        ({"size": (32, 32), "mode": "L"}, [], None),
        ({"size": (50, 60)}, ["data.size=[32, 32]"], None),
        ({"size": (50, 60)}, ["data.channels=1"], None),
    ],
)
def test_other_data_are_learned_from_scratch(installed, images, make, overrides, reason):
    result = init(str(images(**make)), overrides=overrides)
    text = Path(result["config"]).read_text(encoding="utf-8")
    assert result["features"] is None
    assert "- conv" in text
    assert ("Pretrained features: recommended for " in text) == (reason is not None)
    assert reason is None or reason in text


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"side": 40}, "the size"),
        ({"size": "small"}, "--small"),
        ({"side": 40, "size": "large"}, "the size and --large"),
    ],
)
def test_a_size_that_rules_features_out_is_reported(installed, images, options, given):
    result = init(str(images(size=(50, 60))), **options)
    assert result["features"] is None
    assert result["choices"] == [
        f"network: from scratch, because of {given}; pretrained features are better for so few images"
    ]
    assert init(str(images("b", size=(50, 60), mode="L")), out=Path("c.yaml"), side=20)["choices"] == []


def test_without_the_extra_a_comment_says_why_and_how(images):
    result = init(str(images(size=(50, 60))))
    text = Path(result["config"]).read_text(encoding="utf-8")
    assert "# Pretrained features: recommended for few images, here about 6 per class; needs pip install" in text
    lines = [line for line in text.splitlines() if re.match(r"  #   features", line)]
    assert lines == ["  #   features: {backbone: efficientnet-lite0}"]
    assert result["features"] is None


def test_the_comment_is_right(images, tmp_path):
    """With what it says done, the config loads and trains on features."""
    result = init(str(images(size=(50, 60))))
    text = Path(result["config"]).read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not re.match(r"  (size|augmentation)|    - (?!fc)", line)]
    uncommented = [line.replace("  #   features", "  features") for line in kept]
    Path("b.yaml").write_text("\n".join(uncommented), encoding="utf-8")
    assert cnntrain.build(load_config("b.yaml")).in_shape == (1280, 1, 1)
