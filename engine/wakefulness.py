"""Keeps the machine from going to sleep while a worker trains, and only then; macOS only."""

import platform
import subprocess


class Wakefulness:
    """At most one `caffeinate`, which ends with the worker it was started for, however that ends."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def keep_for(self, pid: int | None) -> None:
        """Keep the machine awake until this process ends, or not any more if None; cheap to call again."""
        if pid == self._pid:
            return
        self._pid = pid
        self._end()
        if pid is not None and platform.system() == "Darwin":
            self._begin(pid)

    def _begin(self, pid: int) -> None:
        # -i: no sleep for idleness, -s: none at all on mains power, -w: until that process ends
        command = ["caffeinate", "-i", "-s", "-w", str(pid)]
        nowhere = subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        except OSError:
            return  # without it the run is slower at worst

    def _end(self) -> None:
        if self._process:
            self._process.kill()  # it has nothing to end, and a signal that can be ignored would be waited for
            self._process.wait()
            self._process = None
