"""Where clips lie: files of their own, and members of zip archives, whole, damaged or missing."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from corekit import Clip, ClipError, CorpusError, Label
from corekit.driver.corpus import Corpus, _checked
from corekit.driver.places import Places
from corekit.ledger import FileStamp
from tests.video.media import digest, read, write

ARCHIVE = "Part 1.zip"


def member(name: str = "a.mkv") -> Clip:
    path = f"{ARCHIVE}/Videos/{name}"
    return Clip(name=name, path=path, content="a", label=Label(kind="none"), archive=ARCHIVE)


def loose(name: str = "a.mkv") -> Clip:
    return Clip(name=name, path=name, content="a", label=Label(kind="none"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    write(tmp_path / "a.mkv")
    with zipfile.ZipFile(tmp_path / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "a.mkv", "Videos/a.mkv")
    return Places(tmp_path)


def test_a_member_is_the_file_that_was_packed(places: Places, tmp_path: Path) -> None:
    content = (tmp_path / "a.mkv").read_bytes()
    told: list[int] = []
    assert places.has(member()) and places.has(loose())
    assert places.sha256(member(), told.append) == places.sha256(loose()) == hashlib.sha256(content).hexdigest()
    assert sum(told) == len(content)
    assert places.probe(member()) == places.probe(loose())
    with places.reader(member()) as reader:
        assert digest(reader) == read(tmp_path / "a.mkv")


def test_its_stamp_is_the_archives(places: Places, tmp_path: Path) -> None:
    assert places.stamp(member()) == FileStamp.of(tmp_path / ARCHIVE)
    assert places.stamp(loose()) == FileStamp.of(tmp_path / "a.mkv")


def test_what_is_not_there(places: Places, tmp_path: Path) -> None:
    assert not places.has(member("b.mkv")) and not places.has(loose("b.mkv"))
    (tmp_path / ARCHIVE).unlink()
    assert not Places(tmp_path).has(member())


def test_a_damaged_member_says_which_archive_to_fetch(places: Places, tmp_path: Path) -> None:
    data = bytearray((tmp_path / ARCHIVE).read_bytes())
    data[200:400] = bytes(200)
    (tmp_path / ARCHIVE).write_bytes(data)
    with pytest.raises(ClipError) as caught:
        places.sha256(member())
    assert caught.value.stage == "open"
    assert str(caught.value).startswith("Part 1.zip/Videos/a.mkv cannot be unpacked (")
    assert str(caught.value).endswith("); fetch Part 1.zip again")


def test_an_archive_that_went_away_while_it_is_unpacked(places: Places, tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).unlink()
    with pytest.raises(ClipError) as caught:
        places.probe(member())
    assert str(caught.value) == (
        "Part 1.zip/Videos/a.mkv cannot be unpacked (No such file or directory); check Part 1.zip and the free space"
    )


@pytest.mark.parametrize("path", ["Other.zip/Videos/a.mkv", "Part 1.zip/../a.mkv", "Part 1.zipa.mkv/a.mkv"])
def test_a_member_lies_in_its_archive(path: str) -> None:
    clip = Clip(name="a.mkv", path=path, content="a", label=Label(kind="none"), archive=ARCHIVE)
    with pytest.raises(CorpusError, match="is not a path of a clip below the corpus root"):
        list(_checked(iter([clip]), None, None))  # type: ignore[arg-type]


def test_a_corpus_looks_into_the_archive(places: Places, tmp_path: Path) -> None:
    corpus = Corpus(None, tmp_path, (member(), member("b.mkv")))  # type: ignore[arg-type]
    assert [corpus.has(clip) for clip in corpus] == [True, False]
