"""How much memory there is to take: by the computer, by control groups, by the limits of the process."""

import os

import pytest

from cnntrain.parallel import free_memory as module
from cnntrain.parallel.free_memory import free_memory, kilobytes, machine_memory, process_memory, resident_memory

MEMINFO = (
    "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\nSwapFree:        1000000 kB\nHugePages_Total:       0\n"
)
FREE = 1024 * 9_000_000


@pytest.fixture
def system(tmp_path):
    """Writes the files of a system; returns its proc and the root of its control groups."""

    def make(files, own="0::/\n", meminfo=MEMINFO):
        for name, text in {"proc/meminfo": meminfo, "proc/self/cgroup": own, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "proc", tmp_path / "cgroup"

    return make


def group(folder, most, used, cached=0):
    return {
        f"cgroup/{folder}memory.max": f"{most}\n",
        f"cgroup/{folder}memory.current": f"{used}\n",
        f"cgroup/{folder}memory.stat": f"anon 5\ninactive_file {cached}\n",
    }


def old_group(folder, most, used, cached=0):
    return {
        f"cgroup/memory/{folder}memory.limit_in_bytes": f"{most}\n",
        f"cgroup/memory/{folder}memory.usage_in_bytes": f"{used}\n",
        f"cgroup/memory/{folder}memory.stat": f"inactive_file 7\ntotal_inactive_file {cached}\n",
    }


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        ("0::/\n", {}, FREE),
        ("0::/\n", group("", "max", 5), FREE),
        ("0::/\n", group("", 3_000_000, 1_000_000, cached=200_000), 2_200_000),
        ("0::/\n", group("", 3_000_000, 4_000_000), 0),
        ("0::/user/job\n", group("user/job/", "max", 5) | group("user/", 700, 300), 400),
        ("0::/user/job\n", group("user/job/", 500, 400) | group("user/", 700, 300), 100),
        ("4:memory:/\n", old_group("", 3_000_000, 1_000_000, cached=100_000), 2_100_000),
        ("4:memory:/\n", old_group("", 2**63 - 4096, 1_000_000), FREE),
        ("4:memory:/docker/1\n2:cpu:/\n", old_group("docker/1/", 900, 100), 800),
    ],
)
def test_the_least_of_the_computer_and_its_control_groups_counts(system, own, files, free):
    proc, root = system(files, own)
    assert free_memory(proc, root) == free


def test_a_system_without_proc_tells_all_that_the_computer_has(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__, raising=False)
    assert free_memory(tmp_path, tmp_path) == machine_memory(tmp_path) == 4_096_000
    assert resident_memory(tmp_path) == 0
    assert kilobytes(tmp_path / "status") == {}


def test_limits_of_the_process_count_by_what_it_has_taken(system, monkeypatch):
    resource = pytest.importorskip("resource")
    proc, _ = system({"proc/self/status": "Name:\tpython\nVmSize:\t  100 kB\nVmData:\t  10 kB\nVmRSS:\t  7 kB\n"})
    limits = {resource.RLIMIT_AS: 1_000_000, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], resource.RLIM_INFINITY))
    assert process_memory(proc) == 1_000_000 - 102_400
    limits[resource.RLIMIT_DATA] = 10_300
    assert process_memory(proc) == 60
    limits.update(dict.fromkeys(limits, resource.RLIM_INFINITY))
    assert process_memory(proc) is None
    assert resident_memory(proc) == 7168


def test_this_computer_has_memory_and_this_process_takes_some():
    assert (free_memory() or 1) > 0
    if module.PROC.exists():
        assert resident_memory() > 1_000_000
