"""Tells the run of operators that its device hands to the CPU, which torch mentions in a Python warning alone."""

import warnings
from typing import TextIO

from engine import device as devices
from engine.contract.protocol import WarningRaised
from engine.inbox import Emit


def watch_fallbacks(emit: Emit) -> None:
    """From here on raise each such warning as one of the run; every warning is still printed as before."""
    printed = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        printed(message, category, filename, lineno, file, line)
        if devices.is_fallback(str(message)):
            emit(
                WarningRaised(
                    "An operator falls back from the device to the CPU",
                    str(message).splitlines()[0],
                    "Every step waits for it: update torch and the system; report the operator's name if it stays.",
                ),
                None,
            )

    warnings.showwarning = show
