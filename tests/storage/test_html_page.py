"""Pages are recognized by their mark, and no other file is."""

import os

from cnntrain.storage.html_page import is_page, mark


def test_only_a_page_of_the_command_is_one(tmp_path):
    page = tmp_path / "a.html"
    page.write_text("<!doctype html>" + mark("cnntrain report"))
    assert is_page(page, "cnntrain report")
    assert not is_page(page, "cnntrain explain")
    page.write_text(" " * 1000 + mark("cnntrain report"))
    assert not is_page(page, "cnntrain report")
    assert not is_page(tmp_path, "cnntrain report")
    assert not is_page(tmp_path / "missing", "cnntrain report")


def test_nobody_waits_for_a_pipe(tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert not is_page(tmp_path / "pipe", "cnntrain report")
