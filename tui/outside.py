"""Hands a folder or a file to the desktop; says in words where there is none."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tui.terminal import is_remote


def open_outside(path: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Open a path with the program of the desktop. Returns why that cannot be, or nothing if it was done."""
    if not path.exists():
        return "It is not there yet."
    if is_remote(dict(environment)):
        return "This terminal is at the other end of an SSH connection."
    program = "open" if sys.platform == "darwin" else "xdg-open"
    has_desktop = sys.platform == "darwin" or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    if not has_desktop or not shutil.which(program):
        return "There is no desktop here."
    subprocess.Popen(
        [program, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return ""
