"""A console at the other end of a pseudo terminal: what it writes is timed and counted, and drawn by nobody."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Self

import psutil
import pytest

SIZE = (120, 40)  # columns and rows
PATIENCE = 100.0  # seconds
ROOT = Path(__file__).parents[2]
# What would make the console another one than most people have: pauses for SSH, no colours, nothing kept compiled.
OF_THIS_PLACE = ("SSH_CONNECTION", "SSH_TTY", "NO_COLOR", "TMUX", "PYTHONDONTWRITEBYTECODE")


class BareTerminal:
    """Runs `shoelora-tui` in a workspace until it is left; its settings are kept there, too."""

    def __init__(self, workspace: Path, *arguments: str) -> None:
        self._outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in OF_THIS_PLACE}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_CONFIG_HOME": str(workspace)}
        command = [sys.executable, "-m", "tui.cli", "--workspace", str(workspace), *arguments]
        self.started = time.perf_counter()
        self._popen = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, env=environment, cwd=ROOT, start_new_session=True
        )
        os.close(inner)
        self._process = psutil.Process(self._popen.pid)
        self.received = 0  # bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.terminate()
        self._popen.wait(10)
        os.close(self._outer)

    def until(self, text: str) -> float:
        """Read until a text comes; returns the moment."""
        seen, end = b"", time.perf_counter() + PATIENCE
        while time.perf_counter() < end:
            seen = seen[-1000:] + self.read(0.02)
            if text.encode() in seen:
                return time.perf_counter()
        pytest.fail(f"never came: {text}")

    def read(self, seconds: float) -> bytes:
        """What comes first within some time."""
        if not select.select([self._outer], [], [], seconds)[0]:
            return b""
        data = os.read(self._outer, 65536)
        self.received += len(data)
        return data

    def rest(self, seconds: float) -> None:
        """Read and drop what comes."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    def press(self, key: str) -> None:
        """Type."""
        os.write(self._outer, key.encode())

    def answer(self, key: str, text: str) -> float:
        """Seconds from a key to a text that it brings."""
        pressed = time.perf_counter()
        self.press(key)
        return self.until(text) - pressed

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        times = self._process.cpu_times()
        return times.user + times.system

    @property
    def memory(self) -> int:
        """Bytes in memory, shared libraries included."""
        return int(self._process.memory_info().rss)
