"""Ranks in lock step: threads stand for the processes here."""

import threading
import time

import numpy as np
import pytest

from cnntrain.parallel import SingleProcess, communicator, shared_memory
from cnntrain.parallel.mapping import SharedArrays
from cnntrain.parallel.shared_memory import SharedMemory, fields

SIZES = [1, 2, 3, 4, 5, 7, 12, 16]
COUNTS = [1, 2, 3, 5, 11, 12, 13, 30, 64, 101]


@pytest.fixture(scope="module")
def layout(make_network):
    return make_network([{"fc": {"units": 7}}, {"fc": {"units": 5}}], (1, 2, 3)).layout


@pytest.fixture
def crew(layout, monkeypatch):
    """Makes ranks that share memory, and runs a program on each."""
    # Threads have one interpreter between them: who waits for another one must sleep.
    monkeypatch.setattr(shared_memory, "SPIN_COUNT", 0)
    for module in (shared_memory, communicator):  # a network of few parameters shall have several blocks
        monkeypatch.setattr(module, "BLOCK", 16)

    def make(size, max_micro_batches=128, check_alive=lambda: None, rows=0):
        arrays = SharedArrays(fields(layout, "float32", size, max_micro_batches, COUNTS, rows))
        ranks = [SharedMemory(rank, size, arrays, layout, COUNTS, check_alive) for rank in range(size)]
        arrays.close()
        return ranks

    def run(ranks, program):
        results = [None] * len(ranks)

        def work(rank):
            results[rank] = program(ranks[rank])

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(ranks))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        return results

    make.run = run
    return make


def test_a_length_is_summed_from_blocks_of_4096_entries():
    """Its bits depend on that."""
    assert [communicator.blocks(size) for size in (1, 4096, 4097, 8192, 8193)] == [1, 1, 2, 2, 3]


def learn(comm, layout, count):
    """Learn ``count`` slices whose gradients follow from their numbers."""
    for i in comm.micro_batches(count):
        gradient = np.random.default_rng(i).normal(size=layout.size).astype("float32")
        for place, part in zip(comm.gradient_views(i, count), layout.views(gradient), strict=True):
            for key in part:
                place[key][...] = part[key]
        comm.add_gradient(i, count, 0.1 * i, i % 3)
    gradient, loss, correct = comm.reduce_scatter(count)
    gradient = gradient.copy()
    comm.allgather()
    return gradient, loss, correct


@pytest.mark.parametrize("size", SIZES)
def test_ranks_share_slices_and_parameters_without_overlap(crew, layout, size):
    ranks = crew(size)
    for count in COUNTS:
        assert [i for comm in ranks for i in comm.micro_batches(count)] == list(range(count))
    parts = [comm.part for comm in ranks]
    assert [i for part in parts for i in range(layout.size)[part]] == list(range(layout.size))


@pytest.mark.parametrize("size", SIZES)
def test_sums_are_the_same_bits_on_any_number_of_ranks(crew, layout, size):
    def program(comm):
        return [learn(comm, layout, count) for count in COUNTS]

    single = program(SingleProcess(layout, np.dtype("float32")))
    together = crew.run(crew(size), program)
    for batch, (gradient, loss, correct) in enumerate(single):
        parts = [results[batch] for results in together]
        assert np.concatenate([part[0] for part in parts]).tobytes() == gradient.tobytes()
        assert {part[1:] for part in parts} == {(loss, correct)}


@pytest.mark.parametrize("size", SIZES)
def test_the_length_of_a_gradient_is_the_same_bits_on_every_rank(crew, layout, size):
    gradients = [np.random.default_rng(i).normal(size=layout.size).astype("float32") for i in range(5)]

    def program(comm):
        lengths = []
        for gradient in gradients:
            lengths.append(comm.norm(gradient[comm.part]))
            comm.allgather()
        return lengths

    ranks = crew(size)
    single = program(SingleProcess(layout, np.dtype("float32")))
    np.testing.assert_allclose(single, [np.linalg.norm(gradient.astype(float)) for gradient in gradients], rtol=1e-12)
    assert crew.run(ranks, program) == [single] * size


@pytest.mark.parametrize("size", SIZES)
def test_every_rank_sees_all_states(crew, layout, size):
    def program(comm):
        comm.states[:, comm.part] = comm.rank + 1
        comm.allgather()
        return comm.states.copy()

    results = crew.run(crew(size, rows=2), program)
    assert results[0].shape == (2, layout.size)
    assert results[0].min() >= 1
    for states in results:
        np.testing.assert_array_equal(states, results[0])
    assert not SingleProcess(layout, np.dtype("float64"), 2).states.any()


@pytest.mark.parametrize("size", SIZES)
def test_judgements_are_gathered_on_every_rank(crew, layout, size):
    def program(comm):
        results = []
        for count in COUNTS:
            for i in comm.micro_batches(count):
                comm.record(i, 1 / (i + 1), i)
            results.append(comm.allreduce(count))
        return results

    assert crew.run(crew(size), program) == [program(SingleProcess(layout, np.dtype("float32")))] * size


def test_nobody_passes_a_barrier_before_the_last_has_come(crew):
    ranks = crew(3)
    came = []

    def program(comm):
        for _ in range(20):
            time.sleep(0.001 * comm.rank)
            came.append(comm.rank)
            comm.barrier()
            seen = len(came)
            comm.barrier()
            yield seen

    results = crew.run(ranks, lambda comm: list(program(comm)))
    assert results == [list(range(3, 61, 3))] * 3


def test_who_waits_long_looks_after_the_others(crew):
    class Gone(Exception):
        pass

    def check_alive():
        raise Gone

    with pytest.raises(Gone):
        crew(2, check_alive=check_alive)[0].barrier()


def test_who_works_long_looks_after_the_others(crew, monkeypatch):
    looks = []
    comm = crew(2, check_alive=lambda: looks.append(1))[0]
    for seconds, expected in ((0.0, 1), (0.1, 1), (0.6, 2), (0.7, 2), (1.2, 3)):
        monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: 1e6 + seconds)
        comm.record(0, 1.0, 1)
        assert len(looks) == expected
