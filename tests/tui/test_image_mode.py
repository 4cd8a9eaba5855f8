"""How pictures are shown, from variables alone."""

import subprocess
import sys

import pytest

from tui.image_mode import MODES, ImageMode, choose_image_mode, next_image_mode

Variables = dict[str, str]


@pytest.mark.parametrize(
    ("variables", "mode", "name"),
    [
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app", "ITERM_SESSION_ID": "w0"}, "iterm2", "iTerm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2", "SSH_CONNECTION": "a 1 b 2"}, "iterm2", "iTerm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm", "WEZTERM_PANE": "0"}, "iterm2", "WezTerm"),
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty", "kitty"),
        ({"TERM": "xterm-kitty", "SSH_CONNECTION": "a 1 b 2"}, "kitty", "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty", "Ghostty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty", "Ghostty"),
        ({"TERM": "foot"}, "sixel", "foot"),
        ({"TERM": "mlterm"}, "sixel", "mlterm"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "block", "Terminal.app"),
        ({"TERM": "xterm-256color"}, "block", "TERM=xterm-256color"),
        ({"TERM": "linux"}, "block", "TERM=linux"),
        ({}, "block", "TERM=unset"),
    ],
)
def test_the_terminal_decides_and_is_named(variables: Variables, mode: ImageMode, name: str) -> None:
    chosen, reason = choose_image_mode("auto", variables)
    assert chosen == mode
    assert name in reason


@pytest.mark.parametrize(
    "variables",
    [
        {"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"},
        {"TERM": "alacritty", "KITTY_WINDOW_ID": "1"},
        {"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal", "ITERM_SESSION_ID": "w0"},
    ],
)
def test_marks_that_a_terminal_inherited_from_another_one_do_not_count(variables: Variables) -> None:
    assert choose_image_mode("auto", variables)[0] == "block"


@pytest.mark.parametrize(
    "inside",
    [
        {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-501/default,1,0", "TERM_PROGRAM": "tmux"},
        {"TERM": "screen-256color", "STY": "1.pts", "KITTY_WINDOW_ID": "1"},
        {"TERM": "tmux-256color", "LC_TERMINAL": "iTerm2", "SSH_CONNECTION": "a 1 b 2"},
    ],
)
def test_in_tmux_it_is_block_unless_asked_otherwise(inside: Variables) -> None:
    mode, reason = choose_image_mode("auto", inside)
    assert mode == "block"
    assert "tmux" in reason
    assert choose_image_mode("kitty", inside)[0] == "kitty"


@pytest.mark.parametrize("mode", MODES)
def test_what_was_asked_for_counts(mode: ImageMode) -> None:
    chosen, reason = choose_image_mode(mode, {"TERM": "xterm-256color"})
    assert chosen == mode
    assert "chosen" in reason


def test_an_unknown_wish_counts_as_auto() -> None:
    assert choose_image_mode("jpeg", {"TERM": "xterm-kitty"}) == choose_image_mode("auto", {"TERM": "xterm-kitty"})


def test_placeholders_need_colours() -> None:
    for asked in ("auto", "kitty"):
        mode, reason = choose_image_mode(asked, {"TERM": "xterm-kitty", "NO_COLOR": "1"})
        assert mode == "block"
        assert "NO_COLOR" in reason


def test_the_key_goes_round_the_modes_that_make_sense_here() -> None:
    assert [next_image_mode(mode, "kitty") for mode in ("kitty", "block", "off")] == ["block", "off", "kitty"]
    assert [next_image_mode(mode, "block") for mode in ("block", "off")] == ["off", "block"]
    assert [next_image_mode(mode, "off") for mode in ("off", "block")] == ["block", "off"]
    assert next_image_mode("sixel", "block") == "block"


def test_choosing_loads_neither_textual_nor_pillow() -> None:
    code = "import sys, tui.image_mode; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"textual", "PIL", "term_image", "numpy"} & set(loaded)
