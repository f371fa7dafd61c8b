import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from cnntrain.config.sweep.sweep_file import load_sweep
from cnntrain.errors import UsageError
from cnntrain.sweep.journal import Journal
from cnntrain.sweep.trial_result import TrialResult


@pytest.fixture
def sweep():
    return load_sweep("digits", ["training.alpha=1e-4..1", "trials=6", "wave=3"])


def result(loss, epochs=4):
    return TrialResult(epochs, 2, loss, 0.5, True)


def test_each_step_can_be_repeated(sweep, tmp_path):
    for _ in range(2):
        journal = Journal(tmp_path, sweep)
        trials = journal.ask(0, 3)
        assert [trial.number for trial in trials] == [0, 1, 2]
        assert journal.compare(2, {0: result(0.5), 1: result(0.25)}) == {0: 0.5, 1: 0.25}
        journal.tell(0, result(0.4), is_stopped=False)
        journal.tell(1, result(0.3), is_stopped=True)
        journal.fail(2, "the loss is nan")
    assert journal.compare(2, {0: result(9.0)}) == {0: 0.5, 1: 0.25}, "the first record stays"
    journal.tell(0, result(9.0), is_stopped=False)
    assert [(trial.state, trial.error) for trial in journal.records()] == [
        ("complete", None), ("stopped", None), ("failed", "the loss is nan"),
    ]  # fmt: skip
    assert journal.records()[0].result == result(0.4)
    assert journal.ask(0, 3)[0].values == trials[0].values


def test_a_wave_can_be_filled_up_later(sweep, tmp_path):
    at_once = Journal(tmp_path / "a", sweep) if (tmp_path / "a").mkdir() is None else None
    later = Journal(tmp_path / "b", sweep) if (tmp_path / "b").mkdir() is None else None
    whole = [trial.values for trial in at_once.ask(0, 3)]
    assert [trial.values for trial in later.ask(0, 1)] == whole[:1]
    later.tell(0, result(0.5), is_stopped=False)
    assert [trial.values for trial in later.ask(0, 3)] == whole


def test_half_a_line_is_removed(sweep, tmp_path):
    values = [trial.values for trial in Journal(tmp_path, sweep).ask(0, 2)]
    whole = (tmp_path / "study.journal").read_bytes()
    for cut in (1, 20, len(whole.splitlines()[-1])):
        (tmp_path / "study.journal").write_bytes(whole[:-cut])
        assert [trial.values for trial in Journal(tmp_path, sweep).ask(0, 2)] == values


def test_optuna_reads_it(sweep, tmp_path):
    journal = Journal(tmp_path, sweep)
    journal.ask(0, 2)
    journal.tell(0, result(0.4), is_stopped=False)
    study = optuna.load_study(
        study_name="sweep", storage=JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    )
    assert study.best_value == 0.4
    assert study.trials[1].state == optuna.trial.TrialState.RUNNING


@pytest.mark.parametrize("content", [b"not JSON\n", b"{}\n", b'{"op_code": 4, "worker_id": "a"}\n', b"[1]\n"])
def test_a_damaged_file_is_a_sentence(sweep, tmp_path, content):
    (tmp_path / "study.journal").write_bytes(content)
    with pytest.raises(UsageError, match="this file is damaged"):
        Journal(tmp_path, sweep)
