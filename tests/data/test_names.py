"""Names of classes: which are allowed, which are the same, and how they are shown, whatever file they are from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.data import load_data
from cnntrain.data.labels import to_class_names
from cnntrain.data.names import match_names, nfc, similar_names
from cnntrain.errors import DataError, can_be_shown, visible

PERSIAN, HINDI = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0915\u094d\u200d\u0937"
GOOD = [
    PERSIAN,
    HINDI,
    "\u72ac\u3000\u732b",
    "ice\u00a0cream",
    "\U0001f469\u200d\U0001f680",
    "a b",
    "\u0e2a\u0e27\u0e31\u0e2a",
]
BAD = [
    "a\nb",
    "a\x00b",
    "a\x1b[31m",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    "a\u202eb",
    "a\u2066b",
    "\udcff",
    "",
    " ",
    "\u200d",
    "\u3000",
]


@pytest.mark.parametrize("name", GOOD)
def test_allowed(name):
    assert to_class_names(["a", name], "x") == ("a", name)
    assert visible(name) == name


@pytest.mark.parametrize("name", BAD)
def test_refused(name):
    with pytest.raises(DataError, match="which cannot be shown; give the class another"):
        to_class_names(["a", name], "x")


@given(st.text())
def test_what_is_shown_can_be_shown(text):
    assert can_be_shown(visible(text))
    assert visible(visible(text)) == visible(text)


def test_two_forms_of_a_name():
    assert to_class_names(["gru\u0308n", "rot"], "x") == ("gr\u00fcn", "rot")
    with pytest.raises(DataError, match="holds the name 'gr\u00fcn', 2 times"):
        to_class_names(["gru\u0308n", "gr\u00fcn"], "x")


def test_text_labels_of_arrays_in_two_forms(tmp_path):
    labels = np.array(["gru\u0308n", "gr\u00fcn", "rot", "rot"])
    np.savez(tmp_path / "a.npz", x_train=np.zeros((4, 3, 3), np.uint8), y_train=labels)
    data = load_data("npz", path=tmp_path / "a.npz")
    assert data.classes == ("gr\u00fcn", "rot")
    assert data.train.labels.tolist() == [0, 0, 1, 1]


def test_text_labels_of_a_csv_file_in_two_forms(tmp_path):
    rows = [f"{name},{','.join(map(str, range(9)))}" for name in ("gru\u0308n", "gr\u00fcn", "rot")]
    (tmp_path / "a.csv").write_text(
        "\n".join(["label," + ",".join(f"p{i}" for i in range(9)), *rows]), encoding="utf-8"
    )
    data = load_data("csv", path=tmp_path / "a.csv")
    assert data.classes == ("gr\u00fcn", "rot")
    assert data.train.labels.tolist() == [0, 0, 1]


def test_names_that_are_nearly_the_same():
    assert similar_names(["Cat", "cat", "dog", "d\u200dog", "hot dog", "hotdog", "bird"]) == [
        ["Cat", "cat"],
        ["dog", "d\u200dog"],
        ["hot dog", "hotdog"],
    ]


@given(st.sets(st.text(min_size=1)), st.sets(st.text(min_size=1)))
def test_names_are_found_as_themselves_or_in_the_other_form(wanted, there):
    found = match_names(wanted, there)
    assert all(found[name] == name for name in wanted & there)
    assert set(found) == {name for name in wanted if nfc(name) in set(map(nfc, there))}
