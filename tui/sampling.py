"""The tool that draws pictures, at work on a thread of its own; everything it says is handed over as it comes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from engine import control
from engine.contract.config import TrainingConfig
from engine.contract.generated import GeneratedPicture, decode
from engine.contract.protocol import PhaseProgressed
from engine.contract.run_dir import Workspace


class Process(Protocol):
    """What is needed of `control.ToolProcess`."""

    def lines(self) -> Iterator[str]:
        """What it prints."""

    def finish(self) -> tuple[int, str]:
        """Its exit code and what it said on standard error."""

    def stop(self) -> None:
        """Interrupt it."""


StartTool: TypeAlias = Callable[[TrainingConfig, Workspace, Sequence[str]], Process]


def start_tool(config: TrainingConfig, workspace: Workspace, words: Sequence[str]) -> Process:
    """The real tool, in a process of its own. Raises OSError."""
    return control.ToolProcess("sample", config, workspace, words)


@dataclass(frozen=True)
class Ended:
    """The tool has ended; `said` is what it wrote on standard error."""

    code: int
    said: str
    stopped: bool  # on request


Said: TypeAlias = PhaseProgressed | GeneratedPicture | Ended


class Sampling:
    """Starts the tool and calls `deliver` from its own thread, with an Ended as the last word."""

    def __init__(self, start: Callable[[], Process], deliver: Callable[[Said], None]) -> None:
        self._start = start
        self._deliver = deliver
        self._process: Process | None = None
        self._stopped = False
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="sampling", daemon=True).start()

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopped

    def stop(self) -> None:
        """Interrupt the tool; what it has drawn by then stays."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._process.stop()

    def _run(self) -> None:
        try:
            process = self._start()
        except OSError as error:
            self._deliver(Ended(1, f"The tool cannot be started: {error.strerror or error}", self._stopped))
            return
        with self._lock:
            self._process = process
            if self._stopped:
                process.stop()
        for line in process.lines():
            if (said := decode(line)) is not None:
                self._deliver(said)
        code, words = process.finish()
        self._deliver(Ended(code, words, self._stopped))
