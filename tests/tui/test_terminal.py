"""What is settled about the terminal before Textual is imported, and that no console process loads torch."""

import os
import subprocess
import sys

import pytest

from tui.terminal import is_remote, knows_true_colour, prepare_colours


@pytest.mark.parametrize(
    "environment",
    [
        {"COLORTERM": "truecolor"},
        {"COLORTERM": "24bit"},
        {"TERM_PROGRAM": "iTerm.app"},
        {"TERM_PROGRAM": "WezTerm"},
        {"TERM": "xterm-kitty"},
        {"TERM": "xterm-ghostty"},
        {"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "ITERM_SESSION_ID": "w0t0p0"},
    ],
)
def test_terminals_known_to_show_24_bit_colour(environment: dict[str, str]) -> None:
    assert knows_true_colour(environment)
    prepare_colours(environment)
    assert environment["TEXTUAL_COLOR_SYSTEM"] == "truecolor"


@pytest.mark.parametrize("environment", [{}, {"TERM": "xterm-256color"}, {"TERM_PROGRAM": "Apple_Terminal"}])
def test_others_are_left_to_textual(environment: dict[str, str]) -> None:
    prepare_colours(environment)
    assert "TEXTUAL_COLOR_SYSTEM" not in environment


def test_what_the_user_has_set_stays() -> None:
    chosen = {"COLORTERM": "truecolor", "TEXTUAL_COLOR_SYSTEM": "256"}
    prepare_colours(chosen)
    assert chosen["TEXTUAL_COLOR_SYSTEM"] == "256"
    colourless = {"COLORTERM": "truecolor", "NO_COLOR": "1"}
    prepare_colours(colourless)
    assert "TEXTUAL_COLOR_SYSTEM" not in colourless


def test_a_connection_over_ssh_is_noticed() -> None:
    assert is_remote({"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"})
    assert not is_remote({})


def test_the_console_loads_no_engine_and_asks_the_terminal_nothing() -> None:
    code = (
        "import sys, tui.app, tui.console, tui.screens.monitor, tui.widgets.drawing, term_image.utils\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), term_image.utils._queries_enabled)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    *modules, queries = done.stdout.split()
    assert queries == "False"
    assert not {"torch", "diffusers", "transformers", "peft", "accelerate"} & set(modules)
    assert done.stderr == ""
