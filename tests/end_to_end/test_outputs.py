"""What a run leaves behind, opened with other people's software."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from peft import PeftModel
from PIL import Image
from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engine.contract.journal import replay
from engine.contract.protocol import CheckpointSaved, RunStarted, StepCompleted, ValidationLossMeasured
from engine.contract.run_dir import RunDir

PROMPT = "a professional product photo of red casual shoes on white background"
Adapt = Callable[[Any], None]


def load_base(run: RunDir) -> Any:
    settings = json.loads(run.config_file.read_text())
    return StableDiffusionPipeline.from_pretrained(settings["pretrained_model_name_or_path"], dtype=torch.float32)


def picture(pipeline: Any, steps: int = 4, seed: int = 7) -> np.ndarray[Any, Any]:
    """(32, 32, 3) in [0, 1], by the sampler that validation uses."""
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    generator = torch.Generator().manual_seed(seed)
    result = pipeline(
        PROMPT, height=32, width=32, num_inference_steps=steps, guidance_scale=4, generator=generator,
        output_type="np",
    )  # fmt: skip
    return np.asarray(result.images[0])


@pytest.fixture(scope="module")
def base_picture(undisturbed: RunDir) -> np.ndarray[Any, Any]:
    return picture(load_base(undisturbed))


@pytest.fixture(scope="module")
def adapted_picture(undisturbed: RunDir) -> np.ndarray[Any, Any]:
    pipeline = load_base(undisturbed)
    pipeline.load_lora_weights(undisturbed.lora_weights, weight_name="pytorch_lora_weights.safetensors")
    return picture(pipeline)


def test_plain_diffusers_loads_the_adapter_and_it_changes_the_picture(
    base_picture: np.ndarray[Any, Any], adapted_picture: np.ndarray[Any, Any]
) -> None:
    assert float(np.abs(base_picture - adapted_picture).mean()) > 0.01


def test_plain_peft_gives_the_same_picture(undisturbed: RunDir, adapted_picture: np.ndarray[Any, Any]) -> None:
    pipeline = load_base(undisturbed)
    pipeline.unet = PeftModel.from_pretrained(pipeline.unet, undisturbed.lora_weights).get_base_model()
    assert isinstance(pipeline.unet, UNet2DConditionModel)
    np.testing.assert_allclose(picture(pipeline), adapted_picture, atol=1e-4)


def test_the_kohya_file_gives_the_same_picture(undisturbed: RunDir, adapted_picture: np.ndarray[Any, Any]) -> None:
    pipeline = load_base(undisturbed)
    pipeline.load_lora_weights(undisturbed.lora_weights, weight_name=f"{undisturbed.name}_kohya.safetensors")
    np.testing.assert_allclose(picture(pipeline), adapted_picture, atol=1e-4)


def test_the_final_pipeline_is_base_plus_adapter(undisturbed: RunDir, adapted_picture: np.ndarray[Any, Any]) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(undisturbed.final_pipeline)
    np.testing.assert_allclose(picture(pipeline), adapted_picture, atol=1e-4)


def test_a_validation_image_is_the_one_that_plain_diffusers_makes(undisturbed: RunDir) -> None:
    (path,) = undisturbed.validation.glob("*_step000040_00.png")
    with Image.open(path, formats=("PNG",)) as image:
        labels = image.info  # the text chunks
        shown = np.asarray(image, dtype=np.float32) / 255
    assert (labels["prompt"], labels["step"]) == (PROMPT, "40")
    pipeline = load_base(undisturbed)
    pipeline.load_lora_weights(undisturbed.lora_weights, weight_name="pytorch_lora_weights.safetensors")
    np.testing.assert_allclose(shown, picture(pipeline, steps=2, seed=int(labels["seed"])), atol=1.5 / 255)


def test_the_kohya_header_tells_rank_alpha_and_steps(undisturbed: RunDir) -> None:
    with safe_open(undisturbed.lora_weights / f"{undisturbed.name}_kohya.safetensors", "pt") as file:
        header = file.metadata()
        alphas = {file.get_tensor(key).item() for key in file.keys() if key.endswith(".alpha")}  # noqa: SIM118
    assert alphas == {8.0}
    assert (header["ss_network_dim"], float(header["ss_network_alpha"]), header["ss_steps"]) == ("8", 8.0, "40")


def test_checkpoints_are_the_ones_asked_for_and_rotated(undisturbed: RunDir) -> None:
    saved = [r.event for r in replay(undisturbed.journal) if isinstance(r.event, CheckpointSaved)]
    assert [(event.step, event.why) for event in saved] == [
        (10, "schedule"), (20, "schedule"), (30, "schedule"), (40, "end"),
    ]  # fmt: skip
    names = sorted(path.name for path in undisturbed.checkpoints.iterdir())
    assert names == ["checkpoint-20", "checkpoint-30", "checkpoint-40"]


def test_tensorboard_has_every_curve_and_the_images(undisturbed: RunDir) -> None:
    records = replay(undisturbed.journal)
    log_dir = next(r.event.log_dir for r in records if isinstance(r.event, RunStarted))
    events = EventAccumulator(f"{log_dir}/tensorboard")
    events.Reload()
    steps = [r.event for r in records if isinstance(r.event, StepCompleted)]
    for tag, values in {
        "train/loss": [step.train_loss for step in steps],
        "train/learning_rate": [step.learning_rate for step in steps],
        "train/gradient_norm": [step.gradient_norm for step in steps],
        "validation/loss": [r.event.loss for r in records if isinstance(r.event, ValidationLossMeasured)],
    }.items():
        assert [scalar.value for scalar in events.Scalars(tag)] == pytest.approx(values, rel=1e-6), tag
    assert [image.step for image in events.Images("validation/image_00")] == [0, 20, 40]


def test_the_log_can_be_read(undisturbed: RunDir) -> None:
    records = replay(undisturbed.journal)
    (log_dir,) = [r.event.log_dir for r in records if isinstance(r.event, RunStarted)]
    lines = (undisturbed.workspace.root / log_dir / "main_log.txt").read_text().splitlines()
    assert "State: preparing" in lines[1]
    assert lines[-1].endswith("State: finished")
    assert sum(re.search(r"INFO +step \d+ epoch", line) is not None for line in lines) == 40


def test_the_config_of_the_run_is_complete(undisturbed: RunDir) -> None:
    config = undisturbed.config()
    written = json.loads(undisturbed.config_file.read_text())
    assert written == config.model_dump()
    assert config.run_name == "undisturbed"
    assert config.max_train_steps == 40
