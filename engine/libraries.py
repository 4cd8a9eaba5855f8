"""Keeps the libraries' progress bars and advice out of logs and terminals; to be called before they are imported."""

import os
import threading

from tqdm import tqdm

SETTINGS = {
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",  # it advises torchvision, which nothing here needs
    "DIFFUSERS_VERBOSITY": "error",
}


def quiet() -> None:
    """What a user has set already stays."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a killed worker would leave behind
