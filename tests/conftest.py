"""What every test shares: quiet, offline libraries on one thread, and a tiny run's model, pictures and preparation."""

from __future__ import annotations

import gc
import os
import signal

# Set before torch is imported: tiny models on many threads are up to forty times slower.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from engine.contract.config import TrainingConfig
from engine.contract.run_dir import Workspace

settings.register_profile("any machine", deadline=None)  # a busy one is slow, and no test is about time
settings.load_profile("any machine")

# Programs that a test starts inherit this; a shell that began the suite with `&` would have them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Libraries and tests stay to the end: no later search for garbage looks at them, and there are fewer searches."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


if TYPE_CHECKING:  # torch is not imported at the top: tests of the console must not pay for it
    from engine.preparation import Prepared


@pytest.fixture(scope="session")
def base_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base model, read only: a diffusers folder of 4 MB. Each pytest-xdist worker writes its own."""
    import torch

    from tests.tiny_base_model import write_base_model

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny") / "base_model"
    write_base_model(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose data/ holds 24 drawn shoes: 16 to train on, 8 held out. Its cache is shared by all tests."""
    from engine.demo.drawing import draw_dataset

    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    draw_dataset(workspace.root / "data", count=24, resolution=64)
    return workspace


@pytest.fixture(scope="session")
def drawn_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a workspace has in outputs/.demo, read only: to be linked there by tests that are not about drawing it."""
    from engine import demo

    workspace = Workspace(tmp_path_factory.mktemp("demo"))
    demo.data_folder(demo.NAME, workspace)
    return workspace.outputs / ".demo"


@pytest.fixture(scope="session")
def tiny_config(base_model_dir: Path, tiny_workspace: Workspace) -> Callable[..., TrainingConfig]:
    """Makes the config of a tiny run: 8 samples per step, latents of (4, 8, 8); keywords change settings."""

    def make(**changes: object) -> TrainingConfig:
        settings: dict[str, object] = {
            "pretrained_model_name_or_path": str(base_model_dir),
            "train_data_dir": str(tiny_workspace.root / "data"),
            "resolution": 64,
            "train_batch_size": 4,
            "gradient_accumulation_steps": 2,
            "max_train_steps": 20,
            "learning_rate": 2e-3,
            "lora_rank": 4,
            "lora_alpha": 8,
            "gradient_checkpointing": "none",
            "validation_prompts": ["a photo of red shoes", "blue sneakers on white background"],
            "num_validation_images": 2,
            "validation_inference_steps": 4,
            "dataloader_num_workers": 0,
            "device": "cpu",
        }
        return TrainingConfig.model_validate({**settings, **changes})

    return make


@pytest.fixture(scope="session")
def prepare_tiny(tiny_config: Callable[..., TrainingConfig], tiny_workspace: Workspace) -> Callable[..., Prepared]:
    """Prepares a tiny run with a model of its own; keywords change settings. Latents come from the shared cache."""
    from engine.preparation import prepare

    def make(**changes: object) -> Prepared:
        warnings: list[object] = []
        prepared = prepare(tiny_config(**changes), tiny_workspace, lambda _: lambda *_: None, warnings.append)
        assert not warnings
        return prepared

    return make
