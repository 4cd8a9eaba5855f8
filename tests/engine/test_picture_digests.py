"""Digests of pictures: right, remembered, and never believed of a picture that has changed."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from engine import picture_digests
from engine.dataset import Sample
from engine.picture_digests import PictureDigests, file_digest

COUNT = 200


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Files that could be pictures."""
    made = [Sample(f"{number}", tmp_path / f"{number}.png", ("x",)) for number in range(COUNT)]
    for sample in made:
        sample.image.write_bytes(f"picture {sample.id:>3}".encode())
    return made


@pytest.fixture
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files seem to be settled; no program can give a file an older time of its last change."""
    monkeypatch.setattr(time, "time_ns", lambda: 2**62)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Filled with the files that are read."""
    paths: list[Path] = []

    def noted(path: Path) -> str:
        paths.append(path)
        return file_digest(path)

    monkeypatch.setattr(picture_digests, "file_digest", noted)
    return paths


def digests(cache: Path, samples: list[Sample], threads: int = 2) -> tuple[dict[str, str], list[tuple[int, int]]]:
    progress: list[tuple[int, int]] = []
    with PictureDigests(cache, samples, threads) as reading:
        return reading.of_all(lambda done, total: progress.append((done, total))), progress


@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.usefixtures("long_ago")
def test_what_was_read_once_is_not_read_again(
    tmp_path: Path, samples: list[Sample], read: list[Path], threads: int
) -> None:
    first, progress = digests(tmp_path / "cache", samples, threads)
    assert first == {s.id: hashlib.sha256(s.image.read_bytes()).hexdigest() for s in samples}
    assert sorted(read) == sorted(sample.image for sample in samples)
    assert progress[-1] == (COUNT, COUNT) and len(progress) > 2
    again, progress = digests(tmp_path / "cache", samples, threads)
    assert again == first and len(read) == COUNT and progress == []


@pytest.mark.usefixtures("long_ago")
def test_a_change_is_noticed_whatever_was_done_to_hide_it(
    tmp_path: Path, samples: list[Sample], read: list[Path]
) -> None:
    before, _ = digests(tmp_path / "cache", samples)
    read.clear()
    edited, replaced, touched = (sample.image for sample in samples[:3])
    for path in (edited, replaced):
        status, other = path.stat(), tmp_path / "other"
        target = path if path == edited else other
        target.write_bytes(path.read_bytes().upper())
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        target.replace(path)
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    touched.touch()
    after, progress = digests(tmp_path / "cache", samples)
    assert sorted(read) == sorted([edited, replaced, touched]) and progress == [(3, 3)]
    assert {name for name in after if after[name] != before[name]} == {"0", "1"}
    assert after["0"] == file_digest(edited) and after["1"] == file_digest(replaced)


def test_what_was_written_a_moment_ago_is_not_remembered(
    tmp_path: Path, samples: list[Sample], read: list[Path]
) -> None:
    """It could be written once more within the same tick of the file system's clock."""
    digests(tmp_path / "cache", samples)
    digests(tmp_path / "cache", samples)
    assert len(read) == 2 * COUNT


@pytest.mark.usefixtures("long_ago")
def test_pictures_that_cannot_be_read_are_told_apart_and_tried_again(tmp_path: Path, samples: list[Sample]) -> None:
    content = samples[0].image.read_bytes()
    samples[0].image.unlink()
    samples[1].image.unlink()
    samples[1].image.mkdir()
    known, _ = digests(tmp_path / "cache", samples)
    assert len(set(known.values())) == COUNT
    samples[0].image.write_bytes(content)
    assert digests(tmp_path / "cache", samples)[0]["0"] == hashlib.sha256(content).hexdigest()


@pytest.mark.usefixtures("long_ago")
def test_a_damaged_memory_is_told_and_read_past(tmp_path: Path, samples: list[Sample]) -> None:
    first, _ = digests(tmp_path / "cache", samples)
    (memory,) = (tmp_path / "cache" / "digests").iterdir()
    content = bytearray(memory.read_bytes())
    content[-1] ^= 1  # of the last digest
    content[0] ^= 1  # of the first key
    memory.write_bytes(content)
    with PictureDigests(tmp_path / "cache", samples, 2) as reading:
        assert reading.damaged == [memory]
        assert reading.of_all(lambda *_: None) == first


def test_reading_ends_when_nobody_waits_for_it(tmp_path: Path, samples: list[Sample], read: list[Path]) -> None:
    with pytest.raises(InterruptedError), PictureDigests(tmp_path / "cache", samples * 50, 1):
        raise InterruptedError
    assert len(read) < 50 * COUNT
