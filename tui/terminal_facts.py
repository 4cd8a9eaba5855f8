"""What the console knows of its terminal, of the machine's heat, and where it keeps its choices, told like checks."""

import codecs
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tui.environment_check import CheckResult
from tui.machine_heat import Heat

WANTED = (80, 24)  # columns and rows for everything
COLOURS = {"truecolor": "true colour", "256": "256 colours", "standard": "16 colours", "windows": "16 colours"}
FACT = "FACT"  # a verdict where there is nothing to judge


def terminal_facts(
    size: tuple[int, int],
    colour_system: str | None,
    environment: Mapping[str, str] = os.environ,
    encoding: str | None = None,
) -> list[CheckResult]:
    """Size, program, colours and characters; `encoding` is what Textual writes in, by default that of this process."""
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
        _characters(encoding or getattr(sys.__stderr__, "encoding", None) or "utf-8", environment),
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


def _characters(encoding: str, environment: Mapping[str, str]) -> CheckResult:
    """Whether marks, curves and blocks arrive; Python writes UTF-8 in the C locale, too, but what shows it may not."""
    remedy = "Set LANG to a UTF-8 locale of `locale -a`, such as en_US.UTF-8 or C.UTF-8, then start anew; tmux with -u."
    named = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    if environment.get("LC_CTYPE") == "C.UTF-8" and not environment.get("LC_ALL"):
        named = environment.get("LANG") or named  # Python itself puts it there where LANG is C (PEP 538)
    if codecs.lookup(encoding).name != "utf-8":
        told = f"{encoding}: marks, curves and pictures are shown as ?"
        return CheckResult("characters", "WARN", told, remedy)
    if named and "utf" not in named.lower():
        told = f"UTF-8, but the locale is {named}: tmux and some terminals then show ? or _ for marks and curves"
        return CheckResult("characters", "WARN", told, remedy)
    return CheckResult("characters", "OK", "UTF-8")


def heat_fact(heat: Heat | None) -> CheckResult:
    """Whether heat slows the machine down; a system that does not tell is not called cool."""
    if heat is None:
        return CheckResult("heat", FACT, "this system does not tell it to anyone but root")
    remedy = "Let air to it, take it off soft ground, away from the sun; training slows down with it and comes back."
    return CheckResult("heat", "OK" if heat.level == "normal" else "WARN", heat.text, remedy)


def file_fact(name: str, path: Path | None, without: str) -> CheckResult:
    """Where a file of the user's lies, or would lie; `without` says what holds while it is not there."""
    if path is None:
        return CheckResult(name, FACT, f"in no file: {without}")
    return CheckResult(name, FACT, str(path) if path.exists() else f"{path} (not there: {without})")
