"""`python -m engine.environment`: is this machine ready to train a config, and if not, what is to be done?"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from engine import tool
from engine.contract.config import TrainingConfig
from engine.contract.errors import ShoeloraError
from engine.contract.run_dir import Workspace
from engine.environment_checks import CHECKS, Check, CheckFunction


def run_checks(config: TrainingConfig, workspace: Workspace) -> Iterator[Check]:
    """Every check in turn, as each is done. One that breaks is a check that failed."""
    for name, function in CHECKS.items():
        yield run_check(name, function, config, workspace)


def run_check(name: str, function: CheckFunction, config: TrainingConfig, workspace: Workspace) -> Check:
    """One check; whatever it raises becomes its result."""
    try:
        return function(config, workspace)
    except ShoeloraError as error:
        return Check(name, "FAIL", f"{error.what}. {error.why}".strip(), error.remedy)
    except Exception as error:  # a broken library may raise anything
        return Check(name, "FAIL", f"{type(error).__name__}: {error}", "Mend what the message names.")


def lines(check: Check) -> list[str]:
    """A check as text: one line, and the remedy under it where something is wrong."""
    text = [f"{f'[{check.verdict}]':6} {check.name}: {check.text}"]
    if check.verdict != "OK" and check.remedy:
        text.append(f"{'':6} Do: {check.remedy}")
    return text


def verdict(checks: list[Check]) -> str:
    """The last line."""
    failed = sum(check.verdict == "FAIL" for check in checks)
    if failed:
        return f"Not ready: {failed} problem{'s' if failed > 1 else ''}."
    return "Ready to train."


def check_all(config: TrainingConfig, workspace: Workspace, arguments: argparse.Namespace) -> int:
    """Check and print. Returns 1 if a check failed, else 0."""
    checks: list[Check] = []
    for check in run_checks(config, workspace):
        checks.append(check)
        if not arguments.json:
            print("\n".join(lines(check)), flush=True)
    ready = all(check.verdict != "FAIL" for check in checks)
    if arguments.json:
        print(json.dumps({"checks": [asdict(check) for check in checks], "ready": ready}, indent=2))
    else:
        print(verdict(checks))
    return 0 if ready else 1


def parser() -> argparse.ArgumentParser:
    """The arguments of this tool."""
    arguments = argparse.ArgumentParser(prog="engine.environment")
    arguments.add_argument("--json", action="store_true")
    return arguments


if __name__ == "__main__":
    sys.exit(tool.run(parser(), check_all))
