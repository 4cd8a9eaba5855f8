"""What every test shares: quiet, offline libraries on one thread, and the demo base model written once."""

import os

# Set before torch is imported: tiny models on many threads are up to forty times slower.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def base_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo base model, read only: a diffusers folder of 4 MB. Each pytest-xdist worker writes its own."""
    import torch  # not at the top: tests of the console must not pay for it

    from engine.demo.base_model import write_base_model

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("demo") / "base_model"
    write_base_model(folder)
    return folder
