"""Runs a tool of the engine beside the console and passes on what it prints, line by line."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from engine.contract.config import TrainingConfig
from engine.contract.errors import ShoeloraError
from engine.contract.run_dir import Workspace
from engine.control import Tool, ToolProcess


@dataclass(frozen=True)
class ToolEnd:
    """How a tool ended: its exit code, what it said on standard error, and whether the user stopped it."""

    code: int
    errors: str
    was_stopped: bool = False


class ToolFeed:
    """One tool at work; both functions are called in its thread."""

    def __init__(self, say: Callable[[str], object], end: Callable[[ToolEnd], object]) -> None:
        self._say = say
        self._end = end
        self._process: ToolProcess | None = None
        self._is_stopped = False
        self._state = threading.Lock()

    def start(self, tool: Tool, config: TrainingConfig, workspace: Workspace, before: threading.Lock) -> None:
        """Begin, once `before` is free: starting reads the workspace. Returns at once."""
        threading.Thread(target=self._work, args=(tool, config, workspace, before), daemon=True).start()

    def stop(self) -> None:
        """Interrupt it; does nothing if it has ended."""
        with self._state:
            self._is_stopped = True
            if self._process:
                self._process.stop()

    def _work(self, tool: Tool, config: TrainingConfig, workspace: Workspace, before: threading.Lock) -> None:
        try:
            with before:
                process = ToolProcess(tool, config, workspace)
        except ShoeloraError as error:
            self._end(ToolEnd(1, str(error)))
            return
        except OSError as error:
            self._end(ToolEnd(1, f"The tool could not be started: {error}"))
            return
        with self._state:
            self._process = process
            if self._is_stopped:
                process.stop()
        for line in process.lines():
            self._say(line)
        code, errors = process.finish()
        self._end(ToolEnd(code, errors, self._is_stopped))
