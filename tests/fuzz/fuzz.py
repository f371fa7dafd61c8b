"""Throws malformed files at the readers, guided by what code they reach.

    pip install -e ".[fuzz]"
    python tests/fuzz/fuzz.py --seconds 600              # each target for ten minutes
    python tests/fuzz/fuzz.py npz config --seconds 60
    python tests/fuzz/fuzz.py npz --collect              # keeps what reached the most code

A traceback, an input that takes longer than 5 seconds, and a process of more than 500 MB are failures; the input is
then kept in the folder ``fuzz-findings``. Inputs that reached new code lie in ``fuzz-findings/<target>``, and the next
run begins with them. ``--collect`` takes the fewest small ones that reach as much into ``corpus/<target>`` beside this
file, where the tests find them. The environment variable TMPDIR names where the files are made; a folder in memory is
quickest.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FINDINGS = Path("fuzz-findings")
SLOWEST, MAX_BYTES = 5, 500
"""Seconds an input may take; MB that the process may have."""
MAX_COUNT, MAX_LENGTH = 40, 4000
"""Files of a target that are kept for the tests, and bytes of each."""


def fuzz(name: str, arguments: list[str]) -> None:
    """Let libFuzzer work on one target, with its own arguments; does not return."""
    import atheris

    with atheris.instrument_imports(include=["cnntrain"]):
        from targets import TARGETS, attempt

    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as base:
        os.environ["CNNTRAIN_CACHE"] = str(Path(base) / "cache")

        def one_input(content: bytes) -> None:
            with tempfile.TemporaryDirectory(dir=base) as folder:
                attempt(target, Path(folder), content)

        myself = shlex.join([sys.executable, __file__, "--one", name])  # to merge, libFuzzer calls itself by a shell
        atheris.Setup([myself, *arguments], one_input)
        atheris.Fuzz()


def run(name: str, *arguments: str) -> int:
    """Run the fuzzer in a process of its own; return 0 if it found nothing."""
    command = [sys.executable, __file__, "--one", name, "-verbosity=0", *arguments]
    return subprocess.run(command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, check=False).returncode


def search(name: str, seconds: int) -> int:
    """Fuzz one target for some time; return 0 if nothing is found."""
    from seeds import seeds_of

    reached = FINDINGS / name
    reached.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(seeds_of(name, Path(folder))):
            (reached / f"seed-{number}").write_bytes(content)
    known = [str(HERE / "corpus" / name)] if (HERE / "corpus" / name).is_dir() else []
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MAX_BYTES}", "-max_len=20000"]
    return run(name, str(reached), *known, *limits, "-print_final_stats=1", f"-artifact_prefix={FINDINGS}/{name}-")


def collect(name: str) -> int:
    """Choose what the tests repeat of what one target was reached by; return 0 if that works."""
    kept = HERE / "corpus" / name
    with tempfile.TemporaryDirectory() as chosen:
        found = [str(folder) for folder in (kept, FINDINGS / name) if folder.is_dir()]
        failed = run(name, "-set_cover_merge=1", f"-max_len={MAX_LENGTH}", chosen, *found)
        files = sorted(Path(chosen).iterdir(), key=lambda path: (path.stat().st_size, path.name))
        if not failed:
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(parents=True)
            for path in files[:: -(-len(files) // MAX_COUNT) or 1]:
                shutil.copyfile(path, kept / path.name[:12])
    return failed


def main() -> int:
    """Work on the targets one after the other, each in a process of its own; return how many failed."""
    from targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--collect", action="store_true", help="search no more, but keep what was found for the tests")
    words = parser.parse_args()
    unknown = [name for name in words.target if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    failed = []
    for name in words.target or TARGETS:
        print(f"{name}: {'collecting' if words.collect else f'{words.seconds} seconds'}", flush=True)
        if collect(name) if words.collect else search(name, words.seconds):
            failed.append(name)
    print(f"failed: {', '.join(failed)}; the inputs are in {FINDINGS}" if failed else "nothing found")
    return len(failed)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2], sys.argv[3:])
    sys.exit(main())
