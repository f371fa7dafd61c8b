"""What the tests of malformed files need."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images are kept in a folder of the test, not in the user's."""
    before = os.environ.get("CNNTRAIN_CACHE")
    os.environ["CNNTRAIN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("CNNTRAIN_CACHE")
    if before is not None:
        os.environ["CNNTRAIN_CACHE"] = before
