"""A console on a terminal of its own, and the ends that it may come to."""

import fcntl
import os
import pty
import random
import signal
import subprocess
import sys
import termios
import threading

from tests.torture.trial import Trial


class Console:
    """A console on a terminal of its own."""

    def __init__(self, trial: Trial, arguments: list[str]) -> None:
        self._trial = trial
        self._terminal, inner = pty.openpty()
        self._read = True
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *arguments, "--workspace", str(trial.workspace.root)],
            stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
            env={**trial.environment(), "TERM": "xterm"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(inner)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        """What a terminal does: it reads."""
        try:
            while self._read and os.read(self._terminal, 65536):
                pass
        except OSError:
            return

    def hurt(self, rng: random.Random) -> None:
        """One of the ends that a console finds, or worse than an end."""
        how = rng.choice(["killed", "hung up", "suspended", "not read"])
        self._trial.deeds.append(f"a console {how}")
        if how == "killed":
            self._process.kill()
        elif how == "hung up":
            os.killpg(self._process.pid, signal.SIGHUP)  # what closing the terminal sends to its session
        elif how == "suspended":
            self._process.send_signal(signal.SIGSTOP)
        else:
            self._read = False

    def end(self) -> None:
        """The console's own process only."""
        self._process.kill()
        self._process.wait()
        self._read = False
        self._reader.join(1)
        os.close(self._terminal)
