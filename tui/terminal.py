"""What must be known of the terminal before Textual takes it over."""

import os
from collections.abc import MutableMapping

TRUE_COLOUR_PROGRAMS = frozenset({"iTerm.app", "WezTerm", "ghostty", "vscode", "Hyper", "rio"})
TRUE_COLOUR_TERMS = ("xterm-kitty", "xterm-ghostty", "wezterm", "alacritty", "foot", "contour", "tmux-direct")
# Set by terminals that know 24-bit colour and handed on by tmux, which hides TERM and TERM_PROGRAM behind its own.
TRUE_COLOUR_MARKS = ("KITTY_WINDOW_ID", "WEZTERM_PANE", "ITERM_SESSION_ID", "GHOSTTY_RESOURCES_DIR", "WT_SESSION")


def knows_true_colour(environment: MutableMapping[str, str]) -> bool:
    """Whether the terminal is known to show 24-bit colour, though COLORTERM may have been lost over SSH."""
    return (
        environment.get("COLORTERM", "").lower() in {"truecolor", "24bit"}
        or environment.get("TERM_PROGRAM", "") in TRUE_COLOUR_PROGRAMS
        or environment.get("TERM", "").startswith(TRUE_COLOUR_TERMS)
        or any(environment.get(mark) for mark in TRUE_COLOUR_MARKS)
    )


def prepare_colours(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make Textual paint in 24-bit colour where it can be seen; must run before Textual is imported."""
    if "NO_COLOR" not in environment and knows_true_colour(environment):
        environment.setdefault("TEXTUAL_COLOR_SYSTEM", "truecolor")


def is_remote(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Whether this terminal is at the other end of an SSH connection."""
    return "SSH_CONNECTION" in environment
