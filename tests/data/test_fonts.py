"""Fonts for names in any script: those that are installed are found, and what none of them has is named."""

import io
import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from cnntrain.data import fonts
from cnntrain.data.contact_sheet import contact_sheet
from cnntrain.data.dataset import Dataset

OWN_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def letter_of(font):
    """A letter that a font has, and Matplotlib's own lacks."""
    ours, other = (fonts._characters(str(OWN_FONTS / name)) for name in (fonts.OWN, font))
    return next(c for c in sorted(other - ours) if c.isalpha() and c.isprintable())


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Sets the installed fonts, by their names among those of Matplotlib."""
    caches = (fonts._fonts_for, fonts._characters)

    def install(*names):
        files = [str(shutil.copy(OWN_FONTS / name, tmp_path / name)) for name in names]
        monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda *_: files)
        for cached in caches:
            cached.cache_clear()

    yield install
    for cached in caches:
        cached.cache_clear()


def test_latin_letters_need_no_other_font(monkeypatch):
    fonts._fonts_for.cache_clear()
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda *_: pytest.fail("searched"))
    found = fonts.fonts_for(["cat", "Ä", "日"[:0]])
    assert [Path(file).name for file in found.files] == [fonts.OWN]
    assert found.missing == ""
    assert fonts.missing_note(["cat\n\x1b"]) is None


def test_a_font_that_has_the_letters_is_found_and_one_without_them_is_not_used(installed):
    installed("cmr10.ttf", "STIXGeneral.ttf")
    found = fonts.fonts_for([letter_of("STIXGeneral.ttf")])
    assert [Path(file).name for file in found.files] == [fonts.OWN, "STIXGeneral.ttf"]
    assert found.missing == ""


def test_what_no_font_has_is_named_once(installed, tmp_path):
    installed("cmr10.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    note = fonts.missing_note(["cat 猫", "猫 犬"])
    assert note == (
        "no installed font has 犬猫: plots show boxes instead; a font such as Noto Sans CJK has most scripts"
    )
    assert fonts.missing_note([chr(0x4E00 + i) for i in range(20)]).startswith(
        "no installed font has 一丁丂七丄丅丆万丈三..."
    )


def test_a_damaged_font_is_skipped(installed, tmp_path, monkeypatch):
    installed()
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda *_: [str(tmp_path / "broken.ttf")])
    assert fonts.fonts_for(["猫"]).missing == "猫"


def is_drawn(names):
    """Whether the names of two contact sheets, which differ by one letter, look different."""
    dataset = Dataset(np.zeros((1, 1, 8, 8), np.uint8), np.zeros(1, np.int64))
    sheets = [np.asarray(Image.open(io.BytesIO(contact_sheet("title", dataset, [name])))) for name in names]
    return sheets[0].shape != sheets[1].shape or (sheets[0] != sheets[1]).any()


def test_chinese_names_are_drawn_where_a_font_has_them():
    if fonts.fonts_for(["猫犬"]).missing:
        pytest.skip("no installed font has Chinese letters")
    assert is_drawn(["猫", "犬"])


def test_plots_use_the_fonts(installed):
    from matplotlib.figure import Figure

    from cnntrain.evaluation.plots.style import png, styled

    installed("STIXGeneral.ttf")
    with styled():
        figure = Figure()
        text = figure.text(0, 0, letter_of("STIXGeneral.ttf"))
        png(figure)
    assert text.get_fontfamily() == ["DejaVu Sans", "STIXGeneral"]
