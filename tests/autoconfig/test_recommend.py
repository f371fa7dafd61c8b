"""The recipe gives a config that works, whatever the data are."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain.autoconfig.inspect import Findings
from cnntrain.autoconfig.recommend import FEW, image_size, recommend
from cnntrain.autoconfig.render import render
from cnntrain.builder import build_shaped
from cnntrain.config import load_config

COUNTS = st.lists(st.integers(1, 100_000), min_size=2, max_size=12)


@st.composite
def findings(draw):
    is_gray = draw(st.booleans())
    counts = draw(COUNTS)
    source = draw(st.sampled_from(["images", "npz", "digits"]))
    H, W = draw(st.integers(1, 80)), draw(st.integers(1, 80))
    return Findings(
        source={"source": source} | ({} if source == "digits" else {"path": str(Path("data").absolute())}),
        name="data",
        shape=(draw(st.sampled_from([1, 3])), H, W),
        image_size=(H + draw(st.integers(0, 9)), W) if source == "images" else None,
        is_gray=is_gray,
        classes=tuple(f"class {i}" for i in range(len(counts))),
        counts=tuple(counts),
        has_test=draw(st.booleans()),
        has_validation=draw(st.booleans()) and source == "images",
        has_unreadable=draw(st.booleans()) and source == "images",
    )


@given(found=findings())
@settings(max_examples=40)
def test_whatever_the_data_are_the_config_loads_and_the_network_fits(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    path = folder / "a.yaml"
    path.write_text(render(found, recommend(found), path, ["data"]), encoding="utf-8")
    config = load_config(path)
    network = build_shaped(config, found.shape, len(found.classes))
    assert network.out_shape == (len(found.classes),)
    training = config.training
    assert 10 <= training.Max <= 100
    assert (training.class_weights == "balanced") == (max(found.counts) / min(found.counts) > 3)
    assert training.augmentation.crop < min(found.shape[1:]) or training.augmentation.crop == 0
    held = config.data.validation
    assert found.has_validation or (held == 0) == (sum(found.counts) < FEW)


@given(H=st.integers(1, 10_000), W=st.integers(1, 10_000))
def test_pictures_are_brought_to_what_they_have_and_64_at_most(H, W):
    rows, columns = image_size((H, W))
    assert 1 <= rows <= min(64, H)
    assert 1 <= columns <= min(64, W)
    if max(H, W) <= 64:
        assert (rows, columns) == (H, W)


def test_more_samples_take_fewer_passes_and_larger_batches():
    def training(n):
        found = Findings({"source": "digits"}, "a", (3, 32, 32), None, False, ("a", "b"), (n, n), True, False, False)
        lines = {line.key: line.value for line in recommend(found).training}
        return lines["Max"], lines["batch_size"]

    seen = [training(n) for n in (5, 50, 500, 5_000, 50_000)]
    assert [Max for Max, _ in seen] == sorted((Max for Max, _ in seen), reverse=True)
    assert [size for _, size in seen] == sorted(size for _, size in seen)


def test_reasons_are_given_once_and_for_what_is_not_plain():
    found = Findings({"source": "digits"}, "a", (3, 64, 64), None, False, ("a", "b"), (90, 9), True, False, False)
    made = recommend(found)
    reasons = [line.reason for line in [*made.data, *made.layers, *made.training] if line.reason]
    assert len(set(reasons)) == len(reasons)
    assert all(line.reason for line in [*made.data, *made.training])
