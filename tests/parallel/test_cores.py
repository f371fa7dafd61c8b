"""How many cores there are to use, and how many workers to take."""

import os
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from cnntrain.parallel import available_cores, cores, single_core, worker_count


@pytest.fixture(autouse=True)
def no_limit_of_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("text", "limit"),
    [("1", 1), ("3", 3), (" 2 ", 2), ("4,2", 4), ("0", None), ("", None), ("-1", None), ("x", None), ("9" * 99, None)],
)
def test_omp_num_threads_is_a_limit_of_cores(monkeypatch, text, limit):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.setattr(cores, "cgroup_quota", lambda: None)
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert cores.thread_limit() == limit
    assert available_cores() == min(6, limit or 6)
    assert worker_count(100, 1e12) == min(6, limit or 6)


@pytest.fixture
def groups(tmp_path):
    """Writes the files of a system with control groups; returns the limit found in them."""

    def quota(own, files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cores.cgroup_quota(tmp_path / "cgroup", tmp_path / "own")

    return quota


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
        ("0::/user/job\n", {"user/job/cpu.max": "max 100000", "user/cpu.max": "200000 100000"}, 2.0),
        ("0::/user/job\n", {"user/job/cpu.max": "50000 100000", "user/cpu.max": "200000 100000"}, 0.5),
        ("0::/not/seen/from/here\n", {"cpu.max": "300000 100000"}, 3.0),
        ("3:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ("3:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "0"}, None),
        ("2:cpu:/docker/1\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}, 2.0),
        ("2:cpuset:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}, None),
    ],
)
def test_limit_of_the_control_groups(groups, own, files, quota):
    assert groups(own, files) == quota


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert cores.cgroup_quota(tmp_path, tmp_path / "missing") is None


@pytest.mark.parametrize(("quota", "found"), [(None, 8), (2.0, 2), (2.5, 3), (0.1, 1), (64.0, 8)])
def test_the_lesser_of_affinity_and_limit_counts(monkeypatch, quota, found):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "cgroup_quota", lambda: quota)
    assert available_cores() == found


def test_where_there_is_no_affinity_all_cores_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    monkeypatch.setattr(cores, "cgroup_quota", lambda: None)
    assert available_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_a_process_bound_to_one_core_has_one():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("micro_batches", "operations", "workers"), [(8, 1e9, 4), (3, 1e9, 3), (1, 1e9, 1), (8, 1e6, 1), (8, 0, 1)]
)
def test_auto_takes_cores_slices_and_work_into_account(monkeypatch, micro_batches, operations, workers):
    monkeypatch.setattr(cores, "available_cores", lambda: 4)
    assert worker_count(micro_batches, operations) == workers


def test_products_run_on_one_thread():
    with single_core():
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} <= {1}


def test_libraries_are_searched_again_after_an_import(monkeypatch):
    found = cores.thread_pools(len(sys.modules))
    assert cores.thread_pools(len(sys.modules)) is found
    monkeypatch.setitem(sys.modules, "another", sys)
    assert cores.thread_pools(len(sys.modules)) is not found


def test_short_buffers_are_taken_back_also_after_an_error():
    np.setbufsize(8192)  # loops of other tests may wait inside the context
    before, inside = np.getbufsize(), []

    def fail():
        inside.append(np.getbufsize())
        raise KeyError

    with pytest.raises(KeyError), single_core():
        fail()
    assert inside[0] < before == np.getbufsize()
