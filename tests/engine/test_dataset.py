"""Data sets: every layout is read, every bad input is reported with file and reason, nothing leaves the folder."""

import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.contract.errors import DataError
from engine.dataset import (
    Dataset,
    Problem,
    Sample,
    check_pictures,
    held_out_count,
    read_dataset,
    require_usable,
    split,
)


def draw(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), "red").save(path)


def folder_with(root: Path, names: list[str], captions: object = None, ids: str | None = None) -> Path:
    """A data set in the first layout."""
    draw(*(root / "images" / name for name in names))
    if captions is not None:
        (root / "captions.json").write_text(json.dumps(captions), encoding="utf-8")
    if ids is not None:
        (root / "ids.txt").write_text(ids, encoding="utf-8")
    return root


def ids_of(dataset: Dataset) -> list[str]:
    return [sample.id for sample in dataset.samples]


def problems_of(dataset: Dataset) -> dict[str, str]:
    assert len({problem.file for problem in dataset.problems}) == len(dataset.problems)
    return {problem.file: problem.reason for problem in dataset.problems}


# ---- layouts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "captions",
    [
        {"2": "two", "1": ["one", "uno"]},
        {"2.png": "two", "1.png": ["one", "uno"]},
        {"images/2.png": "two", "./images/1": [" one ", "uno\n"]},
        [{"id": "2", "caption": "two"}, {"id": "1", "caption": ["one", "uno"]}],
        [{"id": 2, "text": "two"}, {"id": 1, "text": ["one", "uno"]}],
        [{"image": "2.png", "caption": "two"}, {"image": "images/1.png", "caption": ["one", "uno"]}],
        [{"file_name": "2", "text": "two"}, {"file_name": "1.png", "text": ["one", "uno"], "other": {"a": 1}}],
        [{"id": "x", "image": "2.png", "caption": "two"}, {"id": "y", "image": "1.png", "text": ["one", "uno"]}],
    ],
)
def test_captions_json_in_every_shape(tmp_path: Path, captions: object) -> None:
    dataset = read_dataset(folder_with(tmp_path, ["1.png", "2.png"], captions))
    assert dataset.problems == ()
    assert [(sample.image, sample.captions) for sample in dataset.samples] == [
        (tmp_path / "images" / "2.png", ("two",)),
        (tmp_path / "images" / "1.png", ("one", "uno")),
    ]


def test_ids_are_those_that_the_user_wrote(tmp_path: Path) -> None:
    captions = [{"id": "shoe-17", "image": "1.png", "caption": "one"}, {"image": "2.png", "caption": "two"}]
    assert ids_of(read_dataset(folder_with(tmp_path, ["1.png", "2.png"], captions))) == ["shoe-17", "2.png"]


def test_pictures_may_lie_in_the_folder_itself(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "captions.json").write_text('{"a": "one"}')
    assert read_dataset(tmp_path).samples == (Sample("a", tmp_path / "a.png", ("one",)),)


@pytest.mark.parametrize("ids", ["3\n1\n", "3.png\r\n\r\n1.png", "\ufeff 3 \n1"])
def test_ids_txt_chooses_and_orders(tmp_path: Path, ids: str) -> None:
    captions = {"1": "one", "2": "", "3": "three", "gone": "no picture"}
    dataset = read_dataset(folder_with(tmp_path, ["1.png", "2.png", "3.png", "4.png"], captions, ids))
    assert ids_of(dataset) == ["3", "1"]
    assert dataset.problems == ()  # what is not listed is nobody's problem


def test_ids_txt_knows_ids_and_file_names(tmp_path: Path) -> None:
    captions = [{"id": "x", "image": "1.png", "caption": "one"}, {"id": "y", "image": "2.png", "caption": "two"}]
    assert ids_of(read_dataset(folder_with(tmp_path, ["1.png", "2.png"], captions, "y\n1"))) == ["y", "x"]


def test_metadata_jsonl(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", tmp_path / "deeper" / "b.jpg")
    lines = ['{"file_name": "deeper/b.jpg", "text": "bee"}', "", '{"file_name": "a.png", "text": "ay"}']
    (tmp_path / "metadata.jsonl").write_text("\r\n".join(lines), encoding="utf-8-sig")
    assert read_dataset(tmp_path).samples == (
        Sample("deeper/b.jpg", tmp_path / "deeper" / "b.jpg", ("bee",)),
        Sample("a.png", tmp_path / "a.png", ("ay",)),
    )
    assert read_dataset(tmp_path).problems == ()


@pytest.mark.parametrize("place", [".", "images"])
def test_txt_files_beside_pictures(tmp_path: Path, place: str) -> None:
    home = tmp_path / place
    draw(home / "b.PNG", home / "a.v2.webp", home / "c.jpeg")
    for name, text in {"a.v2": "ay\n", "b": "bee", "c": "ßee"}.items():
        (home / f"{name}.txt").write_text(text, encoding="utf-8")
    dataset = read_dataset(tmp_path)
    assert [(s.image.name, s.captions) for s in dataset.samples] == [
        ("a.v2.webp", ("ay",)), ("b.PNG", ("bee",)), ("c.jpeg", ("ßee",)),
    ]  # fmt: skip
    assert dataset.problems == ()


def test_captions_json_comes_before_metadata_before_txt(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("from txt")
    assert read_dataset(tmp_path).samples[0].captions == ("from txt",)
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "from metadata"}')
    assert read_dataset(tmp_path).samples[0].captions == ("from metadata",)
    (tmp_path / "captions.json").write_text('{"a": "from captions"}')
    assert read_dataset(tmp_path).samples[0].captions == ("from captions",)


def test_hidden_files_are_not_data(tmp_path: Path) -> None:
    """macOS writes ._a.png beside a.png on disks of other systems."""
    draw(tmp_path / "a.png", tmp_path / "._a.png")
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "._a.txt").write_bytes(b"\xff")
    assert (len(read_dataset(tmp_path).samples), read_dataset(tmp_path).problems) == (1, ())


def test_names_match_across_unicode_spellings(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    dataset = read_dataset(folder_with(tmp_path, [f"{decomposed}.png"], {composed: "one"}, decomposed))
    assert (len(dataset.samples), dataset.problems) == (1, ())


def test_two_thousand_samples_are_read_at_once(tmp_path: Path) -> None:
    captions = {f"{number:04d}": f"shoe {number}" for number in range(2000)}
    (tmp_path / "images").mkdir()
    for name in captions:
        (tmp_path / "images" / f"{name}.png").touch()  # not even pictures: nothing is decoded
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    (tmp_path / "ids.txt").write_text("\n".join(captions))
    begin = time.process_time()
    dataset = read_dataset(tmp_path)
    assert time.process_time() - begin < 1
    assert ids_of(dataset) == list(captions)


# ---- faults of the whole --------------------------------------------------------------------------------------------


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_dataset(folder)
    assert caught.value.remedy
    return str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    assert f"There is no folder {tmp_path / 'gone'}" in refused(tmp_path / "gone")


def test_no_captions_of_any_kind(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.png")
    text = refused(tmp_path)
    for name in (str(tmp_path), "captions.json", "metadata.jsonl", ".txt"):
        assert name in text


def test_captions_json_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "captions.json").write_text('{\n  "a": "one",\n  "b" "two"\n}')
    text = refused(tmp_path)
    assert "captions.json is not valid JSON" in text
    assert "line 3 column 7" in text


@pytest.mark.parametrize("content", ['"text"', "7", "null"])
def test_captions_json_of_the_wrong_shape(tmp_path: Path, content: str) -> None:
    (tmp_path / "captions.json").write_text(content)
    text = refused(tmp_path)
    assert "captions.json holds neither an object nor a list" in text
    assert "metadata.jsonl" in text


@pytest.mark.parametrize("name", ["captions.json", "ids.txt"])
def test_text_that_is_not_utf_8(tmp_path: Path, name: str) -> None:
    folder_with(tmp_path, ["a.png"], {"a": "one"})
    (tmp_path / name).write_bytes(b'{"a": "caf\xe9"}')
    assert f"{name} is not text" in refused(tmp_path)


def test_captions_json_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "captions.json").mkdir()
    assert "Cannot read" in refused(tmp_path)


# ---- faults of one item ---------------------------------------------------------------------------------------------


def test_missing_picture_and_picture_without_caption(tmp_path: Path) -> None:
    dataset = read_dataset(folder_with(tmp_path, ["1.png", "extra.png"], {"1": "one", "gone": "two"}))
    assert ids_of(dataset) == ["1"]
    assert problems_of(dataset) == {"gone": "picture is missing", "images/extra.png": "has no caption"}


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("", "caption is empty"),
        (" \n\t", "caption is empty"),
        (["good", " "], "caption is empty"),
        ([], "has no caption"),
        (None, "has no caption"),
        (7, "caption is not text but 7"),
        (["good", None], "caption is not text but None"),
        ({"en": "shoe"}, "caption is not text but {'en': 'shoe'}"),
    ],
)
def test_captions_that_are_none(tmp_path: Path, caption: object, reason: str) -> None:
    as_object = [{"id": "b", "caption": caption}, {"id": "a", "caption": "one"}]
    for captions in ({"b": caption, "a": "one"}, as_object):
        dataset = read_dataset(folder_with(tmp_path, ["a.png", "b.png"], captions))
        assert ids_of(dataset) == ["a"]
        assert problems_of(dataset) == {"images/b.png": reason}


def test_ids_that_are_nowhere_or_ambiguous(tmp_path: Path) -> None:
    captions = {"a": "one", "c.png": "png", "c.jpg": "jpg"}
    ids = "a\nnowhere\nb\nc\nc.jpg\n"
    dataset = read_dataset(folder_with(tmp_path, ["a.png", "b.png", "c.png", "c.jpg"], captions, ids))
    assert ids_of(dataset) == ["a", "c.jpg"]
    assert problems_of(dataset) == {
        "nowhere": "listed in ids.txt, but neither a caption nor a picture has this id",
        "b": "listed in ids.txt, but it has no caption",
        "c": "listed in ids.txt, but may mean any of c.jpg, c.png",
    }


def test_an_id_without_suffix_that_two_pictures_have(tmp_path: Path) -> None:
    dataset = read_dataset(folder_with(tmp_path, ["a.png", "a.jpg"], {"a": "one"}))
    assert dataset.samples == ()
    assert problems_of(dataset)["a"] == "may mean any of a.jpg, a.png"


def test_duplicates(tmp_path: Path) -> None:
    folder_with(tmp_path, ["a.png", "b.png"])
    (tmp_path / "captions.json").write_text('{"a": "first", "a": "second", "b": "one", "b.png": "two"}')
    dataset = read_dataset(tmp_path)
    assert [(s.id, s.captions) for s in dataset.samples] == [("a", ("first",)), ("b", ("one",))]
    assert problems_of(dataset) == {
        "images/a.png": "duplicate id a",
        "images/b.png": "duplicate: b.png and b are the same picture",
    }


def test_an_id_listed_twice(tmp_path: Path) -> None:
    dataset = read_dataset(folder_with(tmp_path, ["a.png"], {"a": "one"}, "a\na"))
    assert ids_of(dataset) == ["a"]
    assert problems_of(dataset) == {"images/a.png": "duplicate id a"}


def test_bad_metadata_lines_are_named_by_their_number(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    lines = [b'{"file_name": "a.png", "text": "one"}', b"{oops}", b"", b"[1]", b'{"text": "whose?"}', b'{"id": "\xff"}']
    (tmp_path / "metadata.jsonl").write_bytes(b"\n".join(lines))
    dataset = read_dataset(tmp_path)
    assert ids_of(dataset) == ["a.png"]
    assert {problem.file for problem in dataset.problems} == {"metadata.jsonl"}
    starts = ["line 2, column 2: ", "line 4 is not an object", "line 5 has neither id", "line 6: 'utf-8' codec"]
    assert [p.reason.startswith(start) for p, start in zip(dataset.problems, starts, strict=True)] == [True] * 4


def test_bad_entries_of_a_list_are_named_by_their_number(tmp_path: Path) -> None:
    dataset = read_dataset(folder_with(tmp_path, ["a.png"], [{"id": "a", "text": "one"}, "b", {"id": True}]))
    assert [problem.reason for problem in dataset.problems] == [
        "entry 2 is not an object",
        "entry 3 has neither id nor image nor file_name",
    ]


def test_txt_without_picture_not_text_and_picture_without_txt(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png")
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    (tmp_path / "d.txt").write_text("four")
    dataset = read_dataset(tmp_path)
    assert ids_of(dataset) == ["a"]
    assert problems_of(dataset) == {
        "b.png": r"caption is not text but b'caf\xe9'",
        "c.png": "has no caption",
        "d": "picture is missing",
    }


@pytest.mark.parametrize("reference", ["../secret.png", "images/../../secret.png", "deeper/../../secret.png"])
def test_paths_may_not_climb_out(tmp_path: Path, reference: str) -> None:
    draw(tmp_path / "secret.png")
    (tmp_path / "data" / "deeper").mkdir(parents=True)
    dataset = read_dataset(folder_with(tmp_path / "data", ["a.png"], {"a": "one", reference: "two"}))
    assert problems_of(dataset) == {reference: "leads out of the data folder"}


def test_absolute_paths_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "secret.png")
    reference = str(tmp_path / "secret.png")
    dataset = read_dataset(folder_with(tmp_path / "data", ["a.png"], {"a": "one", reference: "two"}))
    assert problems_of(dataset) == {reference: "leads out of the data folder"}


def test_symbolic_links_may_not_lead_out(tmp_path: Path) -> None:
    draw(tmp_path / "secret.png", tmp_path / "data" / "images" / "a.png")
    (tmp_path / "data" / "images" / "b.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "data" / "images" / "c.png").symlink_to("a.png")
    (tmp_path / "data" / "deeper").symlink_to(tmp_path)
    captions = {"b": "two", "deeper/secret.png": "three", "c": "fine, it stays inside"}
    dataset = read_dataset(folder_with(tmp_path / "data", ["a.png"], captions | {"a": "one"}))
    assert ids_of(dataset) == ["c", "a"]
    assert problems_of(dataset) == dict.fromkeys(["images/b.png", "deeper/secret.png"], "leads out of the data folder")


def test_captions_in_the_place_of_names_are_missing_pictures(tmp_path: Path) -> None:
    """Swapped keys and values: names too long for any file system, or with a NUL in them."""
    dataset = read_dataset(folder_with(tmp_path, ["a.png"], {"a shoe " * 100: "a", "nul\0": "b", "": "c"}))
    assert [p.reason for p in dataset.problems] == ["picture is missing"] * 3 + ["has no caption"]


# ---- decoding -------------------------------------------------------------------------------------------------------


def nothing(_done: int, _total: int) -> None:
    pass


def never(_sample: Sample) -> bool:
    return False


def data_of(folder: Path, count: int) -> Dataset:
    names = [f"{number:02d}.png" for number in range(count)]
    return read_dataset(folder_with(folder, names, dict.fromkeys(names, "a shoe")))


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_unreadable_pictures_become_problems(tmp_path: Path, threads: int) -> None:
    dataset = data_of(tmp_path, 12)
    good = (tmp_path / "images" / "03.png").read_bytes()
    (tmp_path / "images" / "03.png").write_bytes(good[:-20])
    (tmp_path / "images" / "07.png").write_bytes(b"")
    (tmp_path / "images" / "09.png").unlink()
    seen: list[tuple[int, int, threading.Thread]] = []
    checked = check_pictures(
        dataset, threads, never, lambda done, total: seen.append((done, total, threading.current_thread()))
    )
    assert problems_of(checked) == {
        "images/03.png": "truncated",
        "images/07.png": "empty file",
        "images/09.png": "no such file",
    }
    assert ids_of(checked) == [id for id in ids_of(dataset) if id not in ("03.png", "07.png", "09.png")]
    assert seen == [(done, 12, threading.current_thread()) for done in range(1, 13)]


@pytest.mark.parametrize("threads", [0, 2])
def test_pictures_known_to_be_good_are_not_opened(tmp_path: Path, threads: int) -> None:
    dataset = data_of(tmp_path, 4)
    for name in ("00.png", "02.png"):
        (tmp_path / "images" / name).unlink()
    progress: list[tuple[int, int]] = []
    checked = check_pictures(dataset, threads, lambda s: s.id == "00.png", lambda *counts: progress.append(counts))
    assert ids_of(checked) == ["00.png", "01.png", "03.png"]
    assert progress == [(1, 3), (2, 3), (3, 3)]


class StopError(Exception):
    """What a run's Stop command raises out of `progress`."""


@pytest.mark.parametrize("threads", [0, 2])
def test_an_exception_in_progress_ends_the_decoding(
    tmp_path: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the fourth picture on, decoding waits until the rest was called off: then only those begun are opened."""
    dataset = data_of(tmp_path, 40)
    opened: list[str] = []
    called_off = threading.Event()
    really_stat, really_shut_down = Path.stat, ThreadPoolExecutor.shutdown

    def stat(self: Path, **options: bool) -> object:
        opened.append(self.name)
        if len(opened) > 3:
            assert called_off.wait(timeout=60)
        return really_stat(self, **options)

    def shut_down(self: ThreadPoolExecutor, **options: bool) -> None:
        if options.get("cancel_futures"):
            really_shut_down(self, wait=False, cancel_futures=True)
            called_off.set()
        really_shut_down(self, wait=True)

    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise StopError

    before = threading.active_count()
    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut_down)
    with pytest.raises(StopError):
        check_pictures(dataset, threads, never, stop)
    assert 3 <= len(opened) <= 3 + threads
    assert threading.active_count() == before


# ---- enough good data -----------------------------------------------------------------------------------------------


def dataset_of(good: int, bad: int) -> Dataset:
    samples = (Sample(str(number), Path(f"{number}.png"), ("a shoe",)) for number in range(good))
    return Dataset(tuple(samples), tuple(Problem(f"bad{number}.png", "truncated") for number in range(bad)))


@pytest.mark.parametrize(("good", "bad", "usable"), [(95, 5, True), (94, 6, False), (19, 1, True), (18, 1, False)])
def test_five_percent_may_be_bad(good: int, bad: int, usable: bool) -> None:
    if usable:
        require_usable(dataset_of(good, bad), effective_batch_size=1, held_out=8)
    else:
        with pytest.raises(DataError, match=rf"{bad} of {good + bad} training items cannot be used, more than 5%"):
            require_usable(dataset_of(good, bad), effective_batch_size=1, held_out=8)


def test_the_first_problems_are_listed_with_file_and_reason() -> None:
    with pytest.raises(DataError) as caught:
        require_usable(dataset_of(10, 33), effective_batch_size=1, held_out=8)
    text = str(caught.value)
    assert "bad0.png: truncated" in text
    assert "bad19.png: truncated" in text
    assert "bad20.png" not in text
    assert "13 more" in text


def test_one_effective_batch_must_remain_after_validation() -> None:
    require_usable(dataset_of(24, 0), effective_batch_size=16, held_out=8)
    with pytest.raises(DataError) as caught:
        require_usable(dataset_of(23, 1), effective_batch_size=16, held_out=8)
    text = str(caught.value)
    for words in ("23 usable", "8 are held out", "other 15", "batch of 16", "bad0.png: truncated", "train_batch_size"):
        assert words in text


def test_no_data_at_all() -> None:
    with pytest.raises(DataError, match="0 usable pictures"):
        require_usable(dataset_of(0, 0), effective_batch_size=1, held_out=0)


# ---- held-out samples -----------------------------------------------------------------------------------------------


def test_held_out_count() -> None:
    assert [held_out_count(total, 0.05) for total in (0, 5, 100, 160, 1991)] == [0, 5, 8, 8, 100]
    assert held_out_count(96, 0.5) == 48


@given(st.integers(0, 200), st.floats(0.001, 0.999), st.integers(0, 2**63 - 1), st.randoms())
def test_split_parts_the_data_whatever_its_order(size: int, share: float, seed: int, shuffle: random.Random) -> None:
    dataset = dataset_of(size, 0)
    training, validation = split(dataset, share, seed)
    assert len(validation) == held_out_count(size, share)
    assert set(training) | set(validation) == set(dataset.samples)
    assert len(training) + len(validation) == size
    position = {sample: number for number, sample in enumerate(dataset.samples)}
    for part in (training, validation):
        assert list(part) == sorted(part, key=position.__getitem__)
    shuffled = list(dataset.samples)
    shuffle.shuffle(shuffled)
    assert set(split(Dataset(tuple(shuffled), ()), share, seed)[1]) == set(validation)


def test_split_depends_on_the_seed_and_stays_as_it_is() -> None:
    """The exact ids: another selection would make old runs' validation losses incomparable."""
    first, second = ([sample.id for sample in split(dataset_of(96, 0), 0.05, seed)[1]] for seed in (42, 43))
    assert first == ["1", "13", "41", "45", "53", "84", "86", "88"]
    assert first != second


def test_a_sample_more_changes_the_selection_by_at_most_one() -> None:
    before = set(split(dataset_of(96, 0), 0.05, 42)[1])
    after = set(split(dataset_of(97, 0), 0.05, 42)[1])
    assert len(before - after) <= 1
