"""A module of the benchmarks in a process of its own, which answers each line that it is told with a line of JSON."""

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.bare_terminal import ROOT


class AnsweringProcess:
    """Runs until it is left."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with self._process:
            self._process.kill()

    def ask(self, line: object) -> list[Any]:
        """Tell it a line and wait for the answer."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked and told
        print(line, file=asked, flush=True)
        answer: list[Any] = json.loads(told.readline())
        return answer
