"""Main program of a process that trains trials, one after the other.

It reads jobs from standard input and writes what happens to standard output, both as lines of JSON::

    {"number": 7, "folder": ".../trials/0007", "config": {...}, "epochs": 5}    train trial 7 for 5 epochs in all
    {"stop": true}                                                            save after this batch, then answer

    {"ready": true}                    {"epoch": 3}                      {"warning": "..."}
    {"end": "done"}                    {"end": "stopped"}                {"end": "busy"}: another process trains it
    {"end": "error", "kind": ..., "text": ...}                           {"end": "bug", "text": the traceback}
"""

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from cnntrain.config import config_from_dict
from cnntrain.errors import CnntrainError, OutOfMemoryError, UsageError
from cnntrain.runs.folder import CONFIG_FILE
from cnntrain.storage import FolderLock
from cnntrain.sweep.trial_result import read_result
from cnntrain.training.events import EpochEnded, TrainingEnded, WarningIssued
from cnntrain.training.fit import fit
from cnntrain.training.interrupts import Interrupts
from cnntrain.training.resume import resume_run


class Trainer:
    """Trains trials, and can be stopped."""

    def __init__(self, output: int) -> None:
        self.output = os.fdopen(output, "w", encoding="utf-8")
        self.jobs: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.interrupts = Interrupts()
        self.is_stopped = False

    def listen(self) -> None:
        """Read standard input; end this process when the one that started it has ended."""
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if "stop" in message:
                self.is_stopped = True
                self.interrupts.signal = signal.SIGINT
            else:
                self.jobs.put(message)
        os._exit(1)

    def say(self, **message: Any) -> None:
        """Write a message."""
        self.output.write(json.dumps(message) + "\n")
        self.output.flush()

    def serve(self) -> None:
        """Do jobs until this process is ended."""
        self.say(ready=True)
        while True:
            job = self.jobs.get()
            folder = Path(job["folder"])
            try:
                self.say(**(self.train(job, folder) if is_free(folder) else {"end": "busy"}))
            except KeyboardInterrupt:  # while data are loaded
                self.say(end="stopped")
            except UsageError as error:
                self.say(
                    **(
                        {"end": "error", "kind": "UsageError", "text": str(error)}
                        if is_free(folder)
                        else {"end": "busy"}
                    )
                )
            except CnntrainError as error:
                self.say(end="error", kind=type(error).__name__, text=str(error))
            except MemoryError as error:
                self.say(end="error", kind="OutOfMemoryError", text=str(OutOfMemoryError.of(error)))
            except OSError as error:
                self.say(end="error", kind="StorageError", text=f"{error.filename}: {error.strerror}")
            except Exception:
                self.say(end="bug", text=traceback.format_exc())

    def train(self, job: dict[str, Any], folder: Path) -> dict[str, Any]:
        """Train a trial up to the epochs of the job; return the last message."""
        epochs: int | None = job["epochs"]
        if read_result(folder, epochs) is not None:  # finished before a kill
            return {"end": "done"}
        self.interrupts.signal = signal.SIGINT if self.is_stopped else None
        if (folder / CONFIG_FILE).is_file():
            events = resume_run(folder, (), self.interrupts, plots=False, test=False)
        else:
            config = config_from_dict(job["config"], f"trial {job['number']}")
            events = fit(config, folder, self.interrupts, plots=False, test=False)
        stop = ""
        for event in events:
            match event:
                case EpochEnded():
                    self.say(epoch=event.epoch)
                    if epochs is not None and event.epoch >= epochs:
                        self.interrupts.signal = signal.SIGINT
                case WarningIssued():
                    self.say(warning=event.text)
                case TrainingEnded():
                    stop = event.result["stop"]
        is_there = read_result(folder, epochs) is not None
        return {"end": "done"} if is_there else {"end": "stopped", "why": stop}


def is_free(folder: Path) -> bool:
    """Return whether no other process works in a run folder."""
    if not folder.is_dir():
        return True
    try:
        FolderLock(folder).release()
    except UsageError:
        return False
    return True


def main() -> None:
    """Serve the process that started this one."""
    output = os.dup(1)
    os.dup2(2, 1)  # nothing else may be written to where messages go
    trainer = Trainer(output)
    # Only after all imports: on Windows NumPy's libraries wait for a thread that reads standard input.
    threading.Thread(target=trainer.listen, daemon=True).start()
    trainer.serve()
