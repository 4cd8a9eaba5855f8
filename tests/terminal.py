"""A terminal for a test: a program runs in it, keys and clicks go to it, its screen is read as a person reads it."""

import copy
import os
import pty
import select
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyte
import pytest
from pyte.screens import Char

PATIENCE = 60.0  # seconds; much more than anything takes, also on a machine that has other things to do
KEYS = {"Enter": "\r", "Home": "\x1b[H", "End": "\x1b[F", "F5": "\x1b[15~", "Ctrl+f": "\x06", "Ctrl+u": "\x15"}
OF_OTHER_TERMINALS = ("COLUMNS", "LINES", "NO_COLOR", "TMUX", "STY", "SSH_CONNECTION", "SSH_TTY", "LC_TERMINAL")
RUBBISH = "\N{BALLOT BOX WITH X}"  # left everywhere when the size has changed; a sign that no screen of ours has
ALTERNATE_SCREEN = 1049  # xterm's mode in which full-screen programs draw, and after which the lines before come back


class Terminal:
    """A terminal emulator; a thread of it reads all the time, as a real one does.

    `size` is columns and rows. The program is the leader of its session, so closing the terminal hangs up on it.
    """

    def __init__(
        self, command: Sequence[str | Path], folder: Path, size: tuple[int, int] = (80, 24), **variables: str
    ) -> None:
        self._screen = _Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        self._outer, inner = pty.openpty()
        termios.tcsetwinsize(inner, size[::-1])
        self.process = subprocess.Popen(
            command, cwd=folder, env=_environment(variables), preexec_fn=partial(os.login_tty, inner)
        )
        os.close(inner)
        self._is_open = True
        self._bell, self._ringer = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # Linux's way to say that nobody has the other end any more
            while self._bell not in select.select([self._outer, self._bell], [], [])[0]:
                data = os.read(self._outer, 65536)
                if not data:
                    break
                with self._changed:
                    self._stream.feed(data)
                    self._changed.notify_all()

    # ---- what is seen ------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The rows of the screen, without the spaces at their ends."""
        with self._changed:
            return [line.rstrip() for line in self._screen.display]

    def until(self, seen: Callable[[list[str]], object], what: str) -> list[str]:
        """Wait until the lines on the screen are as they should be; returns them. Fails with the screen as it is."""
        with self._changed:
            if not self._changed.wait_for(lambda: seen(self.lines), PATIENCE):
                pytest.fail(f"The terminal never showed {what}:\n" + "\n".join(self.lines))
            return self.lines

    def shows(self, *texts: str) -> list[str]:
        """Wait until some texts are on the screen, all at the same time; returns the lines."""
        return self.until(lambda lines: all(text in "\n".join(lines) for text in texts), " and ".join(texts))

    def shows_in_a_row(self, *texts: str) -> list[str]:
        """Wait until some texts are on the same line; returns all lines."""
        return self.until(
            lambda lines: any(all(text in line for text in texts) for line in lines), f"in a row {' and '.join(texts)}"
        )

    def colours(self, row: int) -> set[str]:
        """The colours of a row's letters, as names or RRGGBB."""
        with self._changed:
            return {self._screen.buffer[row][column].fg for column in range(self._screen.columns)}

    # ---- what is done ------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Press keys by their names, or type a text."""
        os.write(self._outer, "".join(KEYS.get(key, key) for key in keys).encode())

    def click(self, text: str) -> None:
        """Click on the first letter of a text, once it is on the screen."""
        row, line = next((row, line) for row, line in enumerate(self.shows(text), 1) if text in line)
        place = f"0;{line.index(text) + 1};{row}"
        self.press(f"\x1b[<{place}M\x1b[<{place}m")

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window. What was in it is rubbish until the program has painted anew."""
        with self._changed:
            self._screen.resize(rows, columns)
            for row in range(rows):
                for column in range(columns):
                    self._screen.buffer[row][column] = Char(RUBBISH)
            termios.tcsetwinsize(self._outer, (rows, columns))

    def close(self, *last_keys: str) -> None:
        """Close the window, which hangs up on all that runs in it; with keys, in the middle of what they let paint."""
        if self._is_open:
            os.write(self._ringer, b"!")
            self._reader.join()
            if last_keys:
                self.press(*last_keys)
                assert select.select([self._outer], [], [], PATIENCE)[0], "nothing was painted"
            for end in (self._outer, self._bell, self._ringer):
                os.close(end)
        self._is_open = False

    def end(self) -> None:
        """Close the window, and end the program if that did not."""
        self.close()
        self.process.kill()
        self.process.wait()


class _Screen(pyte.Screen):
    """pyte's screen, with the second one for full-screen programs, which it lacks."""

    def set_mode(self, *modes: int, **options: Any) -> None:
        if ALTERNATE_SCREEN in modes and options.get("private"):
            self._before = copy.deepcopy((dict(self.buffer), self.cursor))
            self.erase_in_display(2)
        super().set_mode(*modes, **options)

    def reset_mode(self, *modes: int, **options: Any) -> None:
        super().reset_mode(*modes, **options)
        if ALTERNATE_SCREEN in modes and options.get("private"):
            lines, self.cursor = self._before
            self.buffer.clear()
            self.buffer.update(lines)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables in a new window of a terminal that knows 24-bit colour and shows no pixels."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_OTHER_TERMINALS}
    return {**inherited, "TERM": "xterm-256color", "COLORTERM": "truecolor", "TERM_PROGRAM": "pyte", **variables}
