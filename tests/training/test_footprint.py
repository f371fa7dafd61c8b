"""The memory that a run is said to take, and what happens if there is less."""

import copy

import numpy as np
import pytest

from cnntrain.builder import build_for, load_config_data
from cnntrain.data import Data, Dataset
from cnntrain.errors import OutOfMemoryError
from cnntrain.network.network import Network
from cnntrain.profiling.dry_run import dry_run
from cnntrain.training import footprint as module
from cnntrain.training.fit import fit
from cnntrain.training.footprint import check_memory, footprint
from cnntrain.training.resume import resume_run

WIDE = [{"conv": {"K": 64, "F": 3, "P": 40}}, {"pool": {"k": "all", "type": "average"}}, {"fc": {}}]


@pytest.fixture
def bare(monkeypatch):
    """Leaves out what every process takes, and loading."""
    for name in ("FIRST_PROCESS", "WORKER", "PLOTS", "LOADING"):
        monkeypatch.setattr(module, name, 0)


def of(config, workers=1):
    data = load_config_data(config)
    return footprint(config, build_for(config, data), data, workers)


def test_it_grows_with_all_that_is_kept(tiny_config, bare):
    base, wide, wider = (of(tiny_config(layers)).total for layers in (WIDE[1:], WIDE, [*WIDE[:1], *WIDE]))
    assert base < wide < wider
    assert of(tiny_config(WIDE, dtype="float64")).total > wide + 0.9 * (wide - base)
    assert of(tiny_config(WIDE, batch_size=2)).total <= wide
    fc = [{"fc": {"units": 4000}}, {"fc": {}}]
    plain, momentum, adam = (of(tiny_config(fc, optimizer=name, **more)).total for name, more in (
        ("sgd", {}), ("sgd", {"momentum": 0.9}), ("adam", {})
    ))  # fmt: skip
    assert plain < momentum < adam


def test_each_worker_that_has_a_slice_has_memory_of_its_own(tiny_config, bare):
    one, two, three = (of(tiny_config(WIDE, batch_size=16), workers) for workers in (1, 2, 3))
    assert one.total == one.first
    assert two.total > 1.7 * one.total
    assert 0 < three.total - two.total < one.total  # a batch has two micro-batches: the third worker only evaluates
    assert three.first < two.first


def test_without_data_the_network_alone_counts(tiny_config):
    config = tiny_config(WIDE)
    network = build_for(config, load_config_data(config))
    assert footprint(config, network, None, 1).mapped == 0
    assert footprint(config, network, None, 2).total > footprint(config, network, None, 1).total


def test_the_last_batch_may_have_the_largest_slice(tiny_config, bare):
    """Micro-batches have at most 8 samples: batches of 11 of 40 samples have 6 and 5, but the last one has one of 7."""
    with_rest, without = (of(tiny_config(WIDE, batch_size=size)).total for size in (11, 12))
    assert with_rest > 1.05 * without


def test_workers_see_a_copy_of_the_images(tiny_config, bare, monkeypatch):
    config = tiny_config([{"fc": {}}])
    data = load_config_data(config)
    images = sum(dataset.images.nbytes for dataset in data.splits().values() if dataset)
    network = build_for(config, data)
    one, two = (footprint(config, network, data, workers) for workers in (1, 2))
    vectors = [module.vector_counts(config, [2], workers)[0].bytes_of(network) for workers in (1, 2)]
    assert two.first - one.first == images + vectors[1] - vectors[0]


def test_a_file_that_several_splits_map_counts_once(tiny_config, bare, tmp_path):
    config = tiny_config([{"fc": {}}])
    data = load_config_data(config)
    np.save(tmp_path / "images.npy", data.train.images)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    mapped = Dataset(images, data.train.labels, np.arange(len(data.train)))
    splits = (mapped.take(np.arange(start, len(data.train), 3)) for start in range(3))
    data = Data(*splits, data.classes, data.preprocessing)
    assert footprint(config, build_for(config, data), data, 1).mapped == images.nbytes


def test_frozen_layers_have_no_gradients_and_no_optimizer_state(tiny_config, bare):
    config = tiny_config(optimizer="adam")
    data = load_config_data(config)
    network = build_for(config, data)
    first = next(iter(network.layout.parameters))
    frozen = Network(copy.deepcopy(network.layers), network.objective, "float32", frozen=2)
    rest = frozen.layout.theta_size - frozen.layout.size
    assert first not in frozen.layout.trained
    states, gradients, bytes_each = 2, 1, 4
    found = [module.vector_counts(config, [1], 1)[0].bytes_of(of) for of in (network, frozen)]
    assert found[0] - found[1] == rest * bytes_each * (gradients + 3 * states)
    assert module.footprint(config, frozen, data, 1).total < module.footprint(config, network, data, 1).total


@pytest.mark.parametrize(("share", "refused"), [(1 / 1.3, True), (1 / 1.2, False)])
def test_a_run_is_refused_where_it_needs_a_quarter_more_than_is_free(tiny_config, free, share, refused):
    config = tiny_config(workers=1)
    data = load_config_data(config)
    network = build_for(config, data)
    free(int(share * footprint(config, network, data, 1).total))
    notes = check_memory(config, network, data)
    if refused:
        with pytest.raises(OutOfMemoryError):
            list(notes)
    else:
        assert len(list(notes)) == 1


@pytest.fixture
def free(monkeypatch):
    """Sets what is free, of the computer and by limits of the process."""

    def set_free(state, process=None):
        monkeypatch.setattr(module, "resident_memory", lambda: 0)
        monkeypatch.setattr(module, "free_memory", lambda: state)
        monkeypatch.setattr(module, "process_memory", lambda: process)

    return set_free


def test_a_run_that_needs_more_than_is_free_is_refused_before_anything_is_written(tiny_config, tmp_path, free):
    config = tiny_config(WIDE, workers=2)
    free(10_000_000)
    for start in (lambda: list(fit(config, tmp_path / "run", plots=False)), lambda: dry_run(config)):
        with pytest.raises(OutOfMemoryError, match=r"GB more memory, and 0.01 GB are free here; --workers 1, or"):
            start()
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_where_there_is_no_memory_for_it(tiny_config, tmp_path, free):
    list(fit(tiny_config(Max=1, workers=1), tmp_path / "run", plots=False))
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    free(None, 20_000_000)
    with pytest.raises(OutOfMemoryError, match=r"0.02 GB are left by the limit of this process \(ulimit\); a smaller"):
        list(resume_run(tmp_path / "run", ["training.Max=2"], plots=False))
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_that_needs_nearly_all_begins_with_a_warning(tiny_config, tmp_path, free):
    config = tiny_config(Max=1, workers=1)
    needed = of(config).total
    for share, count in ((2.0, 0), (1.0, 1), (0.9, 1)):
        free(int(share * needed))
        events = list(fit(config, tmp_path / f"run-{share}", plots=False))
        warned = [event.text for event in events if type(event).__name__ == "WarningIssued"]
        assert len(warned) == count
        assert all("it may run out of memory; a smaller training.batch_size" in text for text in warned)


def test_what_is_said_names_what_the_config_has(tiny_config, free):
    free(1000)
    config = tiny_config([{"fc": {}}], batch_size=1, workers=1)
    data = load_config_data(config)
    with pytest.raises(OutOfMemoryError) as error:
        list(check_memory(config, build_for(config, data), data))
    assert "batch_size" not in str(error.value)
    assert "--workers" not in str(error.value)
