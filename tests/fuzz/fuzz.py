"""Throws malformed files at the readers, guided by what code they reach.

    pip install -e ".[fuzz]"
    python tests/fuzz/fuzz.py --seconds 600              # each target for ten minutes
    python tests/fuzz/fuzz.py npz config --seconds 60

A traceback, an input that takes longer than 5 seconds, and a process of more than 500 MB are failures; the input is
then kept in the folder ``fuzz-findings``. ``corpus/<target>`` holds inputs that reached new code in earlier runs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SLOWEST, LARGEST = 5, 500
"""Seconds an input may take; MB that the process may have."""


def fuzz(name: str, arguments: list[str]) -> None:
    """Run the fuzzer on one target; does not return."""
    import atheris

    with atheris.instrument_imports(include=["cnntrain"]):
        from seeds import seeds_of
        from targets import TARGETS, attempt

    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as base, tempfile.TemporaryDirectory() as corpus:
        os.environ["CNNTRAIN_CACHE"] = str(Path(base) / "cache")
        (Path(base) / "seeds").mkdir()
        for number, content in enumerate(seeds_of(name, Path(base) / "seeds")):
            (Path(corpus) / f"seed-{number}").write_bytes(content)

        def one_input(content: bytes) -> None:
            with tempfile.TemporaryDirectory(dir=base) as folder:
                attempt(target, Path(folder), content)

        found = [str(HERE / "corpus" / name)] if (HERE / "corpus" / name).is_dir() else []
        atheris.Setup([sys.argv[0], corpus, *found, *arguments], one_input)
        atheris.Fuzz()


def main() -> int:
    """Run the targets one after the other, each in a process of its own; return how many failed."""
    sys.path.insert(0, str(HERE))
    from targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    words = parser.parse_args()
    unknown = [name for name in words.target if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    findings = Path("fuzz-findings")
    findings.mkdir(exist_ok=True)
    failed = []
    for name in words.target or TARGETS:
        print(f"{name}: {words.seconds} seconds", flush=True)
        limits = [f"-max_total_time={words.seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={LARGEST}"]
        options = ["-verbosity=0", "-print_final_stats=1", "-max_len=20000", f"-artifact_prefix={findings}/{name}-"]
        command = [sys.executable, __file__, "--one", name, *limits, *options]
        if subprocess.run(command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}; the inputs are in {findings}" if failed else "nothing found")
    return len(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.path.insert(0, str(HERE))
        fuzz(sys.argv[2], sys.argv[3:])
    sys.exit(main())
