"""Where the cache is."""

import os

import pytest

from cnntrain.data.cache_folder import ENVIRONMENT_VARIABLE, cache_folder
from cnntrain.errors import UsageError


def test_the_variable_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"


def no_home(*_, **options):
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("found", [no_home, lambda *_, **options: "~/.cache/cnntrain"])
def test_without_a_home_it_is_asked_for(monkeypatch, found):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", found)
    with pytest.raises(
        UsageError, match=f"no home folder; set the environment variable {ENVIRONMENT_VARIABLE} to a folder"
    ):
        cache_folder()


@pytest.mark.skipif(os.name == "nt", reason="users of POSIX")
def test_a_user_who_is_unknown_has_no_home(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "~nobody-of-this-name/cache")
    with pytest.raises(UsageError, match="no home folder for ~nobody-of-this-name/cache"):
        cache_folder()
