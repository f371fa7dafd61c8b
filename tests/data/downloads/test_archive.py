"""Archives that are damaged, or made to harm."""

import hashlib
import io
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.data.downloads.archive import extract
from cnntrain.data.downloads.registry import Member
from cnntrain.errors import DataError

CONTENT = bytes(range(256)) * 40
WANTED = Member("folder/a.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def pack_zip(path: Path, **contents: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in contents.items():
            packed.writestr(name, content)
    return path


def pack_tar(path: Path, *entries: tarfile.TarInfo | tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
    return path


def pack(kind: str, folder: Path, name: str, content: bytes) -> Path:
    if kind == "zip":
        return pack_zip(folder / "a.zip", **{name: content})
    return pack_tar(folder / "a.tar.gz", (name, content))


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


both = pytest.mark.parametrize("kind", ["zip", "tar"])


@both
def test_a_member_leaves_its_folder(kind, tmp_path, out):
    extract(pack(kind, tmp_path, WANTED.path, CONTENT), [WANTED], out)
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("a.bin", CONTENT)]


@both
@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.bin", CONTENT, "there is no folder/a.bin in the archive"),
        ("../folder/a.bin", CONTENT, "there is no folder/a.bin in the archive"),
        ("folder/a.bin", CONTENT + b"?", "folder/a.bin is larger than 10,240 bytes"),
        ("folder/a.bin", bytes(10**7), "folder/a.bin is larger than 10,240 bytes"),
        ("folder/a.bin", CONTENT[:-1], "folder/a.bin is not what it should be: its SHA-256 is "),
    ],
)
def test_another_file_is_not_taken(kind, tmp_path, out, name, content, told):
    archive = pack(kind, tmp_path, name, content)
    with pytest.raises(DataError) as caught:
        extract(archive, [WANTED], out)
    assert str(caught.value).startswith(f"{archive}: {told}")
    assert sum(path.stat().st_size for path in out.iterdir()) <= WANTED.limit
    assert {path.name for path in tmp_path.iterdir()} == {archive.name, "out"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_what_is_no_plain_file_is_refused(tmp_path, out, kind):
    info = tarfile.TarInfo(WANTED.path)
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match=r"folder/a.bin is not a regular file"):
        extract(pack_tar(tmp_path / "a.tar.gz", info), [WANTED], out)
    assert list(out.iterdir()) == []


def test_an_archive_that_wants_a_password_is_told(tmp_path, out):
    archive = pack_zip(tmp_path / "a.zip", **{WANTED.path: CONTENT})
    content = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + place] |= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"the archive is damaged: .*password"):
        extract(archive, [WANTED], out)


@both
@given(data=st.data())
def test_damaged_archives_are_told(kind, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("archive")
    (folder / "out").mkdir()
    archive = pack(kind, folder, WANTED.path, CONTENT)
    content = bytearray(archive.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    archive.write_bytes(content)
    try:
        extract(archive, [WANTED], folder / "out")
    except DataError:
        return
    assert (folder / "out" / "a.bin").read_bytes() == CONTENT


def test_every_wrong_byte_of_a_zip_files_directory_is_told(tmp_path):
    archive = pack("zip", tmp_path, WANTED.path, CONTENT)
    right = archive.read_bytes()
    for place in range(right.index(b"PK\x01\x02"), len(right)):
        archive.write_bytes(right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :])
        folder = tmp_path / str(place)
        folder.mkdir()
        with suppress(DataError):
            extract(archive, [WANTED], folder)
            assert (folder / "a.bin").read_bytes() == CONTENT
