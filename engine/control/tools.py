"""Run a tool of the engine in a process of its own: in this terminal, or behind the console."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Literal

from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace
from engine.control.launching import resolve

Tool = Literal["environment", "preflight", "sample", "bench"]
ERROR_CHARACTERS = 4000  # of what a tool said on standard error, from the end


def tool_command(tool: Tool, arguments: Sequence[str] = ()) -> list[str]:
    """The command line that runs a tool of the engine in a process of its own, so that this one never loads torch."""
    return [sys.executable, "-P", "-m", f"engine.{tool}", *arguments]


def run_tool(tool: Tool, config: TrainingConfig, workspace: Workspace, arguments: Sequence[str] = ()) -> int:
    """Run a tool on a config, in this terminal; returns its exit code. The config travels over standard input."""
    text = resolve(workspace, config).model_dump_json()
    command = tool_command(tool, ["--workspace", str(workspace.root), *arguments])
    return subprocess.run(command, input=text, text=True, cwd=workspace.root, check=False).returncode


class ToolProcess:
    """A tool at work behind the console; it never touches the terminal."""

    def __init__(self, tool: Tool, config: TrainingConfig, workspace: Workspace, arguments: Sequence[str] = ()) -> None:
        text = resolve(workspace, config).model_dump_json()  # first: what raises here leaves no process behind
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  # closed when it is read
        self._process = subprocess.Popen(
            tool_command(tool, ["--workspace", str(workspace.root), *arguments]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=workspace.root,
            start_new_session=True,  # Ctrl-C in the terminal is not meant for it
        )
        assert self._process.stdin
        self._process.stdin.write(text)
        self._process.stdin.close()

    def lines(self) -> Iterator[str]:
        """What the tool prints, line by line as it comes; blocks, so it is for a thread."""
        assert self._process.stdout
        for line in self._process.stdout:
            yield line.rstrip("\n")

    def finish(self) -> tuple[int, str]:
        """Wait for the end; returns the exit code and what was said on standard error."""
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read()[-ERROR_CHARACTERS:]
        self._errors.close()
        return code, said.strip()

    def stop(self) -> None:
        """Interrupt it, as Ctrl-C would; does nothing if it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
