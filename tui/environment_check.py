"""`check` as the console runs it: in a process of its own, its JSON read back with every fault put into words."""

import json
from dataclasses import dataclass
from typing import Any

from engine.contract.config import TrainingConfig
from engine.contract.errors import RunError
from engine.contract.run_dir import Workspace
from engine.control import ToolProcess

TERMINAL = "terminal"  # the tool has none behind the console; the console tells of its own


@dataclass(frozen=True)
class CheckResult:
    """What was looked at, how it stands (OK, WARN or FAIL), what was found, and what to do about it."""

    name: str
    verdict: str
    text: str
    remedy: str = ""


class EnvironmentCheck:
    """One check under way; started at once."""

    def __init__(self, config: TrainingConfig, workspace: Workspace) -> None:
        self._process = ToolProcess("environment", config, workspace, ["--json"])

    def results(self) -> list[CheckResult]:
        """Wait for the end, in a thread. Raises RunError if the tool said nothing that can be read."""
        text = "\n".join(self._process.lines())
        code, said = self._process.finish()
        try:
            return parse_results(text)
        except ValueError as error:
            raise RunError(
                f"The check ended with code {code} and no result",
                said or str(error),
                "Run `shoelora-tui check` in a terminal to see all of it.",
            ) from error

    def stop(self) -> None:
        """End it early; `results` then raises."""
        self._process.stop()


def parse_results(text: str) -> list[CheckResult]:
    """The checks in the tool's JSON, without that of the terminal. Raises ValueError if it is anything else."""
    try:
        found: Any = json.loads(text)
        results = [CheckResult(**{name: str(value) for name, value in check.items()}) for check in found["checks"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no list of checks: {error}") from error
    return [result for result in results if result.name != TERMINAL]


def summary(results: list[CheckResult]) -> str:
    """How it stands in one line."""
    failed = sum(result.verdict == "FAIL" for result in results)
    warned = sum(result.verdict == "WARN" for result in results)
    remarks = f", {warned} to look at" if warned else ""
    if failed:
        return f"not ready: {failed} problem{'s' if failed > 1 else ''}{remarks}"
    return f"ready to train{remarks}"
