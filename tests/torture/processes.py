"""The processes of a trial, known by the plan in their environment; no other is ever signalled."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil

PLAN = "SHOELORA_TORTURE"  # the environment variable that names a trial's plan


class TrialFailure(Exception):  # noqa: N818
    """Something that was promised did not hold."""


def living(plan: Path) -> list[psutil.Process]:
    """Every live process that was started in a trial's environment, the harness itself excepted."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_of(process, plan)]


def by_id(pid: int, plan: Path) -> psutil.Process | None:
    """A live process of a trial by its id, never one that has got the id of a dead one."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return process if _is_of(process, plan) else None


def send(process: psutil.Process, number: signal.Signals) -> None:
    """A signal, if the process is still there to get it."""
    try:
        process.send_signal(number)  # psutil makes sure that the id is still its
    except psutil.NoSuchProcess:
        print(f"process {process.pid} was gone before {number.name}", file=sys.stderr)


def await_gone(plan: Path, patience: float, complaint: str) -> None:
    """Until no process of a trial lives. Raises TrialFailure after `patience` seconds."""
    deadline = time.monotonic() + patience
    while left := living(plan):
        if time.monotonic() > deadline:
            raise TrialFailure(f"{[_words(process) for process in left]} {complaint}")
        time.sleep(0.05)


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[-3:])
    except psutil.Error:
        return str(process.pid)


def _is_of(process: psutil.Process, plan: Path) -> bool:
    try:
        return process.environ().get(PLAN) == str(plan) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
