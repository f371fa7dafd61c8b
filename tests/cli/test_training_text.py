import pytest

from cnntrain.cli.views import training_text as text
from cnntrain.training.diagnostics import LayerDiagnostics
from cnntrain.training.events import DiagnosticsComputed


def test_columns_line_up(started, epoch):
    run = started()
    lines = [
        *text.titles(run),
        text.epoch_line(epoch(1), run),
        text.epoch_line(epoch(20, train_accuracy=1.0, seconds=1234.5, train_loss=9999.0), run),
        text.epoch_line(epoch(20, validation_loss=None, validation_accuracy=None, train_loss=1e9), run),
    ]
    assert lines == [
        "                       train             validation    largest",
        "epoch        loss   accuracy        loss   accuracy     change    seconds",
        " 1/20      0.9877    71.23 %      0.5000    87.50 %   1.23e-02      0.200",
        "20/20   9999.0000   100.00 %      0.5000    87.50 %   1.23e-02   1234.500",
        "20/20    1.00e+09    71.23 %           -          -   1.23e-02      0.200",
    ]


def test_epsilon_stands_in_the_header(started):
    line = "epsilon  0.0001: the run stops when every change is below it"
    assert text.header(started(epsilon=1e-4))[-1] == line
    assert not any("epsilon" in line for line in text.header(started()))


@pytest.mark.parametrize("epsilon", [0.0, 1e-12])
@pytest.mark.parametrize("alpha_varies", [False, True])
@pytest.mark.parametrize("Max", [1, 20, 30_000, 1_000_000])
def test_figures_fit_80_columns_and_stand_under_their_names(started, epoch, epsilon, alpha_varies, Max):
    run = started(epsilon=epsilon, alpha_varies=alpha_varies, Max=Max)
    worst = {"train_loss": 1.5e300, "train_accuracy": 1.0, "max_change": 1e-38, "seconds": 86400.123, "alpha": 1e-10}
    lines = [
        *text.titles(run),
        text.epoch_line(epoch(1), run),
        text.epoch_line(epoch(Max, **worst), run),
    ]
    assert len({len(line) for line in lines[1:]}) == 1
    assert max(map(len, lines)) <= 80
    assert lines[-1].split()[0] == f"{Max}/{Max}"


def test_alpha_is_shown_where_it_changes(started, epoch):
    run = started(alpha_varies=True)
    lines = [*text.titles(run), text.epoch_line(epoch(1, alpha=0.0013), run)]
    assert lines == [
        "                     train           validation   largest",
        "epoch       loss  accuracy       loss  accuracy    change   seconds    alpha",
        " 1/20     0.9877   71.23 %     0.5000   87.50 %  1.23e-02     0.200  1.3e-03",
    ]
    assert max(map(len, lines)) <= 80


def test_header_names_data_device_and_run(started):
    run = started(samples={"train": 1437, "validation": 0, "test": 360}, cores=1, workers=1)
    assert text.header(run) == [
        "data     digits: 1,437 train, 360 test samples of 10 classes",
        "device   CPU, 1 core, 1 worker, float32",
        "run      runs/small",
    ]


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        ((), []),
        (("dropout",), ["loss     train with dropout; validation without: not comparable"]),
        (
            ("augmentation", "dropout", "label smoothing", "class weights"),
            [
                "loss     train with augmentation, dropout, label smoothing, class weights;",
                "         validation without: not comparable",
            ],
        ),
    ],
)
def test_header_says_where_losses_are_not_comparable(started, names, lines):
    run = started(only_in_training=names)
    assert [line for line in text.header(run) if line not in text.header(started())] == lines
    single = started(only_in_training=names, samples={"train": 9, "validation": 0, "test": 0})
    assert not any("comparable" in line for line in text.header(single))


def test_speed_loss_and_time_left_stand_beside_the_bar(batch):
    assert text.batch_text(batch(1, 2), 3.2, 4000) == "3,200 samples/s   loss 0.5000   0:03 left, run 1:06:40"


SCORES = {"loss": 0.0812, "accuracy": 0.97778, "samples": 360}
RESULT = {
    "run": "runs/my digits",
    "stop": "max",
    "epochs": 20,
    "seconds": 1.84,
    "best": {"epoch": 20, "loss": 0.0812},
    "train": SCORES,
    "validation": SCORES,
    "test": SCORES,
    "advice": [],
}
HEADLINE = "test accuracy 97.78 %, loss 0.0812, on 360 samples"


def test_last_lines_say_why_how_good_where_and_what_next():
    assert text.result_lines(RESULT) == [
        "stopped after 20 epochs in 1.8 seconds: reached the maximum number of epochs (Max)",
        HEADLINE,
        "run in runs/my digits",
        "next: cnntrain eval 'runs/my digits'",
        HEADLINE,
    ]


def test_advice_stands_before_the_run_and_the_headline_is_repeated_last():
    advice = [{"rule": "overfitting", "key": "training.l2", "text": "try training.l2=1e-4: it overfits"}]
    assert text.result_lines(RESULT | {"advice": advice})[2:] == [
        "try training.l2=1e-4: it overfits",
        "run in runs/my digits",
        "next: cnntrain eval 'runs/my digits'",
        HEADLINE,
    ]


def test_one_sample_is_no_samples():
    assert text.result_lines(RESULT | {"test": SCORES | {"samples": 1}})[1].endswith(", on 1 sample")


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ("epsilon", "every change is below epsilon"),
        ("patience", "no better validation result for `patience` epochs"),
        ("interrupted", "interrupted; the weights are saved"),
        ("diverged", "the loss diverged"),
        ("failed", "a worker process ended unexpectedly"),
    ],
)
def test_last_lines_name_other_reasons(stop, words):
    assert words in text.result_lines(RESULT | {"stop": stop})[0]


def test_weights_that_were_better_before_the_end_are_pointed_at():
    better = RESULT | {"best": {"epoch": 12, "loss": 0.07}}
    words = "best validation loss 0.0700, after epoch 12: those weights are in best.safetensors"
    assert words in text.result_lines(better)
    assert words not in text.result_lines(better | {"validation": None})
    assert not any("best" in line for line in text.result_lines(RESULT))


def test_without_a_test_split_the_next_best_is_told():
    lines = text.result_lines(RESULT | {"test": None, "epochs": 1})
    assert lines[0].startswith("stopped after 1 epoch in")
    assert lines[1].startswith("validation accuracy")
    assert lines[-2].endswith("--split validation")
    assert lines[-1] == lines[1]


def test_a_run_without_scores_still_has_a_place_and_a_next_step():
    lines = text.result_lines(RESULT | {"stop": "interrupted", "train": None, "validation": None, "test": None})
    assert lines[1:] == ["run in runs/my digits", "next: cnntrain resume 'runs/my digits'"]


def test_a_diverged_run_is_not_worth_an_eval_but_a_replay():
    lines = text.result_lines(RESULT | {"stop": "diverged", "test": None})
    assert lines[-3:-1] == ["run in runs/my digits", "next: cnntrain replay 'runs/my digits'"]


def test_health_is_a_small_table():
    conv = LayerDiagnostics("layers.0", "conv", 0.1, 0.001, 0.01, 0.25, None)
    fc = LayerDiagnostics("layers.2", "fc", 0.0, 0.0, None, None, 0.5)
    norm = LayerDiagnostics("layers.3", "batch_norm", None, None, None, 0.0, None)
    assert text.health_lines(DiagnosticsComputed(1, [conv, fc, norm])) == [
        "   layer                mean |W|  mean |dW|     ratio",
        "   layers.0 conv        1.00e-01   1.00e-03  1.00e-02  dead ReLUs 25.0 %",
        "   layers.2 fc          0.00e+00   0.00e+00         -  saturated 50.0 %",
        "   layers.3 batch_norm         -          -         -  dead ReLUs 0.0 %",
    ]
    worst = LayerDiagnostics("layers.99", "batch_norm", 1e-300, 1e-300, 1e-300, 1.0, None)
    assert max(map(len, text.health_lines(DiagnosticsComputed(1, [worst])))) <= 80


def test_what_stands_beside_the_bar_is_left_out_where_it_does_not_fit(batch):
    assert text.batch_text(batch(1, 2), 3.2, None, 36) == "loss 0.5000   0:03 left, run -"
    assert text.batch_text(batch(1, 2), 3.2, 60, 10) == "0:03 left, run 1:00"


def test_rollbacks_are_reported():
    back = RESULT | {"rollbacks": 2, "alpha_factor": 0.25}
    assert "rolled back 2 times: the last steps took 0.25 of alpha" in text.result_lines(back)
    assert text.rollbacks_text({"rollbacks": 1, "alpha_factor": 0.5}).startswith("rolled back once: ")
    assert not any("rolled" in line for line in text.result_lines(RESULT | {"rollbacks": 0, "alpha_factor": 1.0}))
