"""Keeps the libraries' progress bars and advice out of logs and terminals, and their import short."""

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

SETTINGS = {
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",  # it advises torchvision, which nothing here needs
    "DIFFUSERS_VERBOSITY": "error",
}


def quiet() -> None:
    """To be called before they are imported. What a user has set already stays."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a killed worker would leave behind


@contextmanager
def imported_in_one_go() -> Iterator[None]:
    """Imports within make a million objects that stay; looking for garbage among them takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor do later collections look at them
        gc.enable()
