"""What the console knows of the terminal it runs in, and where it keeps its choices, told like checks."""

import os
from collections.abc import Mapping
from pathlib import Path

from tui.environment_check import CheckResult

WANTED = (80, 24)  # columns and rows for everything
COLOURS = {"truecolor": "true colour", "256": "256 colours", "standard": "16 colours", "windows": "16 colours"}
FACT = "FACT"  # a verdict where there is nothing to judge


def terminal_facts(
    size: tuple[int, int], colour_system: str | None, environment: Mapping[str, str] = os.environ
) -> list[CheckResult]:
    """Size, program and colours."""
    width, height = size
    wish = f"Enlarge it to {WANTED[0]}x{WANTED[1]}."
    small = width < WANTED[0] or height < WANTED[1]
    program = environment.get("TERM_PROGRAM") or environment.get("LC_TERMINAL", "")
    parts = [f"{width}x{height}", *filter(None, [program]), f"TERM={environment.get('TERM', 'unset')}"]
    if environment.get("TMUX") or environment.get("STY"):
        parts.append("inside tmux or screen")
    if "SSH_CONNECTION" in environment:
        parts.append("over SSH")
    return [
        CheckResult("terminal", "WARN" if small else "OK", ", ".join(parts), wish if small else ""),
        _colours(colour_system, environment),
    ]


def _colours(colour_system: str | None, environment: Mapping[str, str]) -> CheckResult:
    if "NO_COLOR" in environment:
        how = "words, signs, bold and reversed text tell all; pictures in blocks are shaded, as for a dark ground"
        return CheckResult("colours", FACT, f"none, since NO_COLOR is set: {how}")
    told = COLOURS.get(colour_system or "", "none")
    if colour_system == "truecolor":
        return CheckResult("colours", "OK", told)
    remedy = "If it can show true colour, set COLORTERM=truecolor; it is often not forwarded over SSH."
    return CheckResult("colours", "WARN", told, remedy)


def file_fact(name: str, path: Path | None, without: str) -> CheckResult:
    """Where a file of the user's lies, or would lie; `without` says what holds while it is not there."""
    if path is None:
        return CheckResult(name, FACT, f"in no file: {without}")
    return CheckResult(name, FACT, str(path) if path.exists() else f"{path} (not there: {without})")
