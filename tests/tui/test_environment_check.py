"""The check behind the console, with a real process, and what is made of an answer that is none."""

import json
from pathlib import Path

import pytest

from engine.contract.config_file import find_config, load_config
from engine.contract.errors import RunError
from engine.contract.run_dir import Workspace
from tui.environment_check import CheckResult, EnvironmentCheck, parse_results, summary
from tui.terminal_facts import FACT, file_fact, terminal_facts


def test_a_real_check_tells_what_check_knows(tmp_path: Path) -> None:
    config = load_config(find_config("demo", tmp_path))
    results = {result.name: result for result in EnvironmentCheck(config, Workspace(tmp_path)).results()}
    assert {"python", "torch", "device", "memory", "disk", "data set", "base model"} <= results.keys()
    assert "terminal" not in results  # it has none; the console tells of its own
    assert results["python"].verdict == "OK"


def test_a_check_that_is_stopped_says_that_it_has_no_result(tmp_path: Path) -> None:
    check = EnvironmentCheck(load_config(find_config("demo", tmp_path)), Workspace(tmp_path))
    check.stop()
    with pytest.raises(RunError, match="no result"):
        check.results()


@pytest.mark.parametrize("text", ["", "Killed", "[]", "{}", '{"checks": [1]}', '{"checks": [{"colour": "red"}]}'])
def test_an_answer_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_results(text)


def test_results_are_read_back() -> None:
    checks = [{"name": "disk", "verdict": "OK", "text": "enough", "remedy": ""}]
    assert parse_results(json.dumps({"checks": checks, "ready": True})) == [CheckResult("disk", "OK", "enough")]


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["OK", "OK"], "ready to train"),
        (["OK", "WARN"], "ready to train, 1 to look at"),
        (["FAIL", "WARN"], "not ready: 1 problem, 1 to look at"),
        (["FAIL", "FAIL"], "not ready: 2 problems"),
    ],
)
def test_how_it_stands_in_a_line(verdicts: list[str], words: str) -> None:
    assert summary([CheckResult("one", verdict, "") for verdict in verdicts]) == words


# ---- the console's own terminal -------------------------------------------------------------------------------------


def test_a_terminal_with_all_that_is_wanted() -> None:
    environment = {"TERM": "xterm", "TERM_PROGRAM": "iTerm.app", "LANG": "de_DE.UTF-8"}
    terminal, colours, characters = terminal_facts((120, 40), "truecolor", environment, "utf-8")
    assert terminal == CheckResult("terminal", "OK", "120x40, iTerm.app, TERM=xterm")
    assert colours == CheckResult("colours", "OK", "true colour")
    assert characters == CheckResult("characters", "OK", "UTF-8")


def test_a_small_terminal_with_few_colours_over_ssh_in_tmux() -> None:
    environment = {"TERM": "screen", "TMUX": "/tmp/tmux", "SSH_CONNECTION": "1.2.3.4"}
    terminal, colours, _ = terminal_facts((60, 20), "256", environment)
    assert (terminal.verdict, terminal.text) == ("WARN", "60x20, TERM=screen, inside tmux or screen, over SSH")
    assert "80x24" in terminal.remedy
    assert (colours.verdict, colours.text) == ("WARN", "256 colours")
    assert "COLORTERM=truecolor" in colours.remedy


def test_no_colour_is_a_choice() -> None:
    colours = terminal_facts((80, 24), None, {"NO_COLOR": "1"})[1]
    assert colours.verdict == FACT
    assert "none, since NO_COLOR is set" in colours.text and "reversed" in colours.text


@pytest.mark.parametrize(
    ("environment", "encoding", "verdict", "words"),
    [
        ({}, "UTF-8", "OK", "UTF-8"),
        ({"LANG": "C.UTF-8"}, "utf8", "OK", "UTF-8"),
        ({"LANG": "en_US.ISO-8859-1"}, "latin-1", "WARN", "latin-1: marks, curves and pictures are shown as ?"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", "WARN", "the locale is C"),
        ({"LANG": "C.UTF-8", "LC_ALL": "POSIX"}, "utf-8", "WARN", "the locale is POSIX"),
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8", "OK", "UTF-8"),
    ],
)
def test_a_locale_that_knows_no_unicode_is_told_with_what_to_do(
    environment: dict[str, str], encoding: str, verdict: str, words: str
) -> None:
    characters = terminal_facts((80, 24), "256", environment, encoding)[2]
    assert characters.name == "characters" and characters.verdict == verdict and words in characters.text
    assert ("UTF-8" in characters.remedy) == (verdict == "WARN")


def test_where_the_files_of_the_user_lie(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    assert file_fact("settings", path, "defaults hold").text == f"{path} (not there: defaults hold)"
    path.write_text("{}")
    assert file_fact("settings", path, "defaults hold").text == str(path)
    assert file_fact("settings", None, "defaults hold").text == "in no file: defaults hold"
