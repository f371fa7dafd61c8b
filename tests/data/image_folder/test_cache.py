"""`source: images`: images are decoded once, and kept in the cache."""

import os
import time

import numpy as np
import pytest

from cnntrain.data import ProgressReporter, load_data
from cnntrain.data.image_folder import cache_file, parallel_decode
from cnntrain.errors import ImageError


def forbid_decoding(monkeypatch):
    def fail(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(parallel_decode, "read_image", fail)


def test_the_second_time_nothing_is_decoded(flat, monkeypatch, cache, Told):
    first = Told(flat)
    forbid_decoding(monkeypatch)
    again = Told(flat)
    assert again.notes == first.notes
    assert not again.progress
    for split, dataset in first.data.splits().items():
        other = again.data.splits()[split]
        indices = np.arange(len(dataset))
        np.testing.assert_array_equal(dataset.gather(indices), other.gather(indices))
        assert other.is_mapped
    assert len(list(cache.iterdir())) == 1


def test_small_files_are_decoded_by_one_thread(flat, monkeypatch, Told):
    monkeypatch.setattr(parallel_decode, "available_cores", lambda: 3)
    assert [parallel_decode.threads_for(sizes) for sizes in ([], [7000], [900, 13_101], [7001, 6999, 7001])] == [
        1,
        1,
        3,
        3,
    ]
    used = []
    decode = parallel_decode.decode

    def recorded(root, names, spec, threads):
        used.append((len(names), threads))
        return decode(root, names, spec, threads)

    monkeypatch.setattr(parallel_decode, "decode", recorded)
    Told(flat)
    assert [threads for count, threads in used if count > 1] == [1]


def test_a_picture_that_could_not_be_read_is_tried_again(flat, monkeypatch, Told):
    (flat / "cat" / "bad.png").write_bytes(b"bad")
    real, refused = parallel_decode.read_image, ["cat/00.png"]

    def read(file, spec):
        if refused and str(file).endswith(refused[0]):
            raise ImageError(file, "it cannot be read: Permission denied")
        return real(file, spec)

    monkeypatch.setattr(parallel_decode, "read_image", read)
    assert Told(flat, on_bad="skip").notes[0].startswith("skipped 2 unreadable images")
    again = Told(flat, on_bad="skip")
    assert again.notes[0].startswith("skipped 2 unreadable images")
    assert not again.progress
    refused.clear()
    mended = Told(flat, on_bad="skip")
    assert mended.notes[0].startswith("skipped 1 unreadable image:")
    assert sum(len(mended.names(split)) for split in mended.data.splits()) == 35
    assert not Told(flat, on_bad="skip").progress


def test_any_change_is_seen(flat, photos, cache, Told):
    Told(flat)
    os.utime(flat / "cat" / "00.png", ns=(1, 1))
    assert Told(flat).progress
    photos("cat/00.png", size=(30, 30))
    assert Told(flat).progress
    os.rename(flat / "cat" / "00.png", flat / "cat" / "99.png")
    assert Told(flat).progress
    assert not Told(flat).progress
    assert len(list(cache.iterdir())) == 1  # the old ones are gone
    assert Told(flat, size=(5, 6)).progress
    assert Told(flat, fit="pad").progress
    assert Told(flat, channels=1).progress
    assert not Told(flat).progress
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("place", [0, 30, 200, 1000, -1, -10, -20, -40, None])
def test_a_damaged_cache_is_made_again(flat, cache, place, Told):
    first = Told(flat).data.train.gather(np.arange(5))
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    if place is None:
        path.write_bytes(content[: len(content) // 2])
    else:
        content[place] ^= 1
        path.write_bytes(content)
    again = Told(flat)
    assert again.progress
    np.testing.assert_array_equal(again.data.train.gather(np.arange(5)), first)
    assert not Told(flat).progress


def test_without_a_cache_folder_the_pictures_stay_in_memory(flat, monkeypatch, tmp_path, Told):
    expected = Told(flat).data.test
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "file"))
    told = Told(flat)
    assert told.notes[0].startswith("the decoded images are kept in memory only")
    assert not told.data.test.is_mapped
    np.testing.assert_array_equal(told.data.test.gather(np.arange(7)), expected.gather(np.arange(7)))


def test_a_full_disk(flat, monkeypatch, cache, Told):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_file.Writer, "add", full)
    assert "No space left on device" in Told(flat).notes[0]
    assert list(cache.iterdir()) == []


def test_whoever_watches_can_stop_it(flat, cache):
    def stop(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_data("images", path=flat, size=(6, 6), reporter=ProgressReporter(progress=stop))
    assert list(cache.iterdir()) == []


def test_files_that_are_not_used_go(flat, cache, Told):
    cache.mkdir()
    names = [f"{digit * 24}-{digit * 24}.npy" for digit in "ab"]
    for name, days in zip(names, (100, 1), strict=True):
        (cache / name).touch()
        os.utime(cache / name, (time.time() - days * 86400,) * 2)
    Told(flat)
    assert not (cache / names[0]).exists()
    assert (cache / names[1]).exists()
