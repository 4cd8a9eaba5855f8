"""What a key map may say, and what is told of what it may not."""

import json
from pathlib import Path

import pytest

from tui.actions import TABLE
from tui.keymap import KeyMap, for_textual, read_keymap


def read(folder: Path, content: object) -> tuple[KeyMap, list[str]]:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "keymap.json").write_text(text)
    return read_keymap(folder)


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert read_keymap(tmp_path) == ({}, [])


def test_what_is_right_applies(tmp_path: Path) -> None:
    assert read(tmp_path, {"monitor.checkpoint": "f2, ctrl+k", "everywhere.help": "h"}) == (
        {"monitor.checkpoint": "f2,ctrl+k", "everywhere.help": "h"},
        [],
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"monitor.puase": "z"}, "there is no action monitor.puase; did you mean monitor.pause?"),
        ({"monitor.pause": "ctrl+b"}, "monitor.pause cannot be ctrl+b, which tmux takes"),
        ({"monitor.pause": "z,ctrl+s"}, "monitor.pause cannot be ctrl+s, which the terminal takes"),
        ({"monitor.pause": "spcae"}, "monitor.pause: there is no key spcae"),
        ({"monitor.pause": 7}, "monitor.pause should have a key"),
        ({"monitor.pause": "c"}, "monitor.pause cannot be c, which is monitor.checkpoint"),
        ({"monitor.pause": "t"}, "monitor.pause cannot be t, which is everywhere.theme"),
        ({"everywhere.theme": "s"}, "everywhere.theme cannot be s, which is"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_applies(tmp_path: Path, wrong: KeyMap, words: str) -> None:
    keymap, problems = read(tmp_path, {**wrong, "everywhere.help": "h"})
    assert keymap == {"everywhere.help": "h"}
    assert len(problems) == 1 and words in problems[0]


@pytest.mark.parametrize("text", ["{", "[]", '"p"'])
def test_a_file_that_is_no_key_map_is_told(tmp_path: Path, text: str) -> None:
    keymap, problems = read(tmp_path, text)
    assert keymap == {} and str(tmp_path) in problems[0]


def test_two_actions_may_change_places(tmp_path: Path) -> None:
    swapped = {"monitor.checkpoint": "v", "monitor.validate": "c"}
    assert read(tmp_path, swapped) == (swapped, [])


def test_of_two_that_want_the_same_key_one_gets_it(tmp_path: Path) -> None:
    keymap, problems = read(tmp_path, {"monitor.checkpoint": "f2", "monitor.validate": "f2"})
    assert keymap == {"monitor.checkpoint": "f2"}
    assert problems == ["monitor.validate cannot be f2, which is monitor.checkpoint"]


def test_pause_and_resume_may_go_on_sharing_a_key(tmp_path: Path) -> None:
    both = {"monitor.pause": "space", "monitor.resume": "space"}
    assert read(tmp_path, both) == (both, [])
    assert for_textual({"monitor.pause": "space"}) == {"monitor.pause": "space", "monitor.resume": "p"}


def test_the_keys_of_the_table_pass_the_same_examination(tmp_path: Path) -> None:
    keys = {f"{place}.{entry.id}": entry.keys for place in TABLE for entry in TABLE[place]}
    assert read(tmp_path, keys) == (keys, [])
