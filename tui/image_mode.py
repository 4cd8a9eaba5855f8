"""How pictures are shown, decided from the environment alone before the app runs; the terminal is never asked."""

import os
from collections.abc import Mapping
from typing import Literal, get_args

ImageMode = Literal["block", "iterm2", "kitty", "sixel", "off"]
MODES: tuple[ImageMode, ...] = get_args(ImageMode)
MEANINGS: dict[ImageMode, str] = {
    "block": "half-blocks, two pixels in each cell",
    "iterm2": "pixels, as inline images",
    "kitty": "pixels, by the kitty graphics protocol",
    "sixel": "pixels, as sixels of 256 colours",
    "off": "names and sizes only",
}
SIXEL_TERMS = ("foot", "mlterm", "contour", "yaft")
OWN_TERMS = ("alacritty", "rio", "st-", "xterm-termite", "rxvt", "linux", "dumb")  # they say who they are


def choose_image_mode(asked: str, environment: Mapping[str, str] = os.environ) -> tuple[ImageMode, str]:
    """The mode to show pictures in, and why. `asked` is a mode or auto; what is unknown counts as auto.

    Call it before the app runs: it looks at variables only, so it costs nothing and eats no key stroke.
    """
    for mode in MODES:
        if asked == mode:
            if mode == "kitty" and "NO_COLOR" in environment:
                return "block", "kitty was chosen, but its placeholders are told apart by colour, and NO_COLOR is set"
            return mode, "chosen with --images or by its key"
    if is_multiplexed(environment):
        return "block", "inside tmux or screen, which pass no pictures on unless set up to; --images asks for them"
    name, mode = _terminal(environment)
    if mode == "kitty" and "NO_COLOR" in environment:
        return "block", f"{name} shows pixels, but its placeholders are told apart by colour, and NO_COLOR is set"
    if mode != "block":
        return mode, f"{name} shows pixels"
    return "block", f"{name} is not known to show pixels; --images kitty, iterm2 or sixel tries"


def next_image_mode(mode: ImageMode, chosen: ImageMode) -> ImageMode:
    """The mode after this one when switching by key; `chosen` is the one that the app began with."""
    ring = list(dict.fromkeys((chosen, "block", "off")))
    return ring[(ring.index(mode) + 1) % len(ring)] if mode in ring else ring[0]


def is_multiplexed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether tmux or screen stands between the app and the terminal, perhaps at the other end of an SSH connection."""
    return bool(
        environment.get("TMUX") or environment.get("STY") or environment.get("TERM", "").startswith(("tmux", "screen"))
    )


def _terminal(environment: Mapping[str, str]) -> tuple[str, ImageMode]:
    """The terminal's name and what it can do. Its own word counts first: marks are inherited by other terminals."""
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    known: dict[str, tuple[str, ImageMode]] = {
        "iTerm.app": ("iTerm2", "iterm2"), "WezTerm": ("WezTerm", "iterm2"), "ghostty": ("Ghostty", "kitty"),
        "kitty": ("kitty", "kitty"), "Apple_Terminal": ("Terminal.app", "block"),
    }  # fmt: skip
    if term.startswith("xterm-kitty"):
        return "kitty", "kitty"
    if term.startswith("xterm-ghostty"):
        return "Ghostty", "kitty"
    if program:
        return known.get(program, (program, "block"))
    if term.startswith(SIXEL_TERMS):
        return term, "sixel"
    if term.startswith("wezterm"):
        return "WezTerm", "iterm2"
    if not term.startswith(OWN_TERMS):
        # SSH hands on LC_TERMINAL and hides TERM_PROGRAM.
        if environment.get("LC_TERMINAL") == "iTerm2" or environment.get("ITERM_SESSION_ID"):
            return "iTerm2", "iterm2"
        if environment.get("WEZTERM_PANE"):
            return "WezTerm", "iterm2"
        if environment.get("KITTY_WINDOW_ID"):
            return "kitty", "kitty"
        if environment.get("GHOSTTY_RESOURCES_DIR"):
            return "Ghostty", "kitty"
    return f"this terminal (TERM={term or 'unset'})", "block"
