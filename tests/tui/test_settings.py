"""What is kept between two starts, and what is told of a file that cannot be read or written."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.settings import Settings, settings_folder

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_choices_come_back(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "new" / "folder")
    assert (settings.theme, settings.image_mode, settings.recall("monitor.tab", "loss")) == (None, "auto", "loss")
    settings.theme = "nord"
    settings.image_mode = "off"
    settings.remember("monitor.tab", "pace")
    again = Settings(tmp_path / "new" / "folder")
    assert (again.theme, again.image_mode, again.recall("monitor.tab", "loss")) == ("nord", "off", "pace")
    assert again.problem == ""


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    settings.theme = "nord"
    assert settings.theme == "nord" and not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["{", "[]", '{"theme": 7}', '{"thmee": "nord"}', "\xff\x00"])
def test_a_damaged_file_is_told_and_replaced_at_the_next_choice(tmp_path: Path, text: str) -> None:
    file = tmp_path / "console.json"
    file.write_bytes(text.encode("latin-1"))
    settings = Settings(tmp_path)
    assert settings.theme is None and str(file) in settings.problem and "Defaults" in settings.problem
    settings.theme = "nord"
    assert Settings(tmp_path).theme == "nord"


def test_one_bad_choice_is_named_and_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "console.json").write_text(
        '{"theme": "daylight", "image_mode": 7, "thmee": "nord", "layout": {"runs.filter": "shoe", "monitor.tab": [1]}}'
    )
    settings = Settings(tmp_path)
    assert (settings.theme, settings.image_mode) == ("daylight", "auto")
    assert settings.recall("runs.filter", "") == "shoe" and settings.recall("monitor.tab", "loss") == "loss"
    for name in ("image_mode: ", "thmee: ", "layout.monitor.tab: ", "all other choices hold"):
        assert name in settings.problem
    assert "theme: " not in settings.problem.replace("thmee", "")
    settings.image_mode = "off"
    again = Settings(tmp_path)
    assert (again.theme, again.image_mode, again.recall("runs.filter", ""), again.problem) == (
        "daylight", "off", "shoe", "",
    )  # fmt: skip


@given(st.dictionaries(st.sampled_from(["theme", "image_mode", "layout", "x"]), JSON))
def test_no_file_keeps_the_console_from_starting(choices: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "console.json").write_text(json.dumps(choices))
        settings = Settings(Path(folder))
        if isinstance(choices.get("theme"), str):
            assert settings.theme == choices["theme"]


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = Settings(tmp_path / "file")
    settings.theme = "nord"
    assert settings.theme == "nord" and "until you leave" in settings.problem


def test_the_folder_is_the_users(tmp_path: Path) -> None:
    assert settings_folder({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "shoelora-tui"
    assert settings_folder({}) == Path.home() / ".config" / "shoelora-tui"
