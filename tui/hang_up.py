"""Ends the console when its terminal is gone and nobody has told it: Textual would read nothing for ever, and fast.

SIGHUP tells most consoles, and ends them. One that was started with it ignored, as under nohup, or by a shell that
ignores it, does not hear of it.
"""

import fcntl
import os
import select
import signal
import sys
import termios
import threading
import time

INTERVAL = 1.0  # seconds between two looks
LOOKS = 2  # that must agree: between the two questions of one look, Textual may have read what was typed


def end_with_terminal(terminal: int) -> None:
    """Look from a thread, since the event loop may hang on a terminal that takes nothing more."""
    threading.Thread(target=_watch, args=(terminal,), daemon=True).start()


def is_gone(terminal: int) -> bool:
    """Whether a terminal can be read at once, and has nothing to be read."""
    if not select.select([terminal], [], [], 0)[0]:
        return False
    try:
        waiting = fcntl.ioctl(terminal, termios.FIONREAD, bytes(4))
    except OSError:  # Linux's way to say so
        return True
    return int.from_bytes(waiting, sys.byteorder) == 0


def _watch(terminal: int) -> None:
    looks = 0
    while looks < LOOKS:
        time.sleep(INTERVAL)
        looks = looks + 1 if is_gone(terminal) else 0
    os._exit(128 + signal.SIGHUP)  # as SIGHUP does it; nothing is left to be said, and nobody to hear it
