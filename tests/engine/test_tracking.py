"""What TensorBoard reads back of a run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engine.contract.protocol import StepCompleted
from engine.preparation import Prepared
from engine.tracking import Tracker
from engine.trainer import Trainer
from engine.validation import GeneratedImage


def no_warning(*told: str) -> None:
    raise AssertionError(told)


@pytest.fixture
def log(prepare_tiny: Callable[..., Prepared], tmp_path: Path) -> EventAccumulator:
    """A log with two steps, one validation and one image at two steps, as a reader of its own sees it."""
    prepared = prepare_tiny()
    tracker = Tracker(Trainer(prepared, tmp_path).accelerator, prepared.config, no_warning)
    completed = StepCompleted(1, 0, 0.5, 1e-4, 2.0, 0.25)
    tracker.step(completed)
    tracker.step(replace(completed, step=2, train_loss=0.25))
    tracker.validation_loss(2, 0.3, (0.1, 0.2, 0.4, 0.5))
    made = GeneratedImage(3, "red shoes", 1003, Image.new("RGB", (8, 6), (255, 0, 0)), "")
    tracker.image(1, made, preview=False)
    tracker.image(2, made, preview=False)
    tracker.image(1, made, preview=True)
    tracker.close()
    (events,) = {path.parent for path in tmp_path.rglob("events.out.tfevents.*") if path.parent.name == "tensorboard"}
    accumulator = EventAccumulator(str(events), size_guidance={"images": 0})
    accumulator.Reload()
    return accumulator


def test_figures_and_images_are_found_under_their_names_and_steps(log: EventAccumulator) -> None:
    scalars = {tag: [(s.step, s.value) for s in log.Scalars(tag)] for tag in log.Tags()["scalars"]}
    assert scalars["train/loss"] == [(1, 0.5), (2, 0.25)]
    assert scalars["train/learning_rate"] == [(1, pytest.approx(1e-4)), (2, pytest.approx(1e-4))]
    assert scalars["train/gradient_norm"] == [(1, 2.0), (2, 2.0)]
    assert scalars["train/seconds_per_step"] == [(1, 0.25), (2, 0.25)]
    assert scalars["validation/loss"] == [(2, pytest.approx(0.3))]
    bands = [scalars[f"validation/loss_{name}"][0][1] for name in ("low", "second", "third", "high")]
    assert bands == pytest.approx([0.1, 0.2, 0.4, 0.5])
    images = log.Images("validation/image_03")
    assert [image.step for image in images] == [1, 2]
    assert [image.step for image in log.Images("validation/preview_03")] == [1]
    assert (images[0].width, images[0].height) == (8, 6)


def test_the_picture_itself_arrives(log: EventAccumulator, tmp_path: Path) -> None:
    path = tmp_path / "read.png"
    path.write_bytes(log.Images("validation/image_03")[0].encoded_image_string)
    assert np.asarray(Image.open(path)).tolist() == [[[255, 0, 0]] * 8] * 6


def test_a_disk_that_takes_no_more_ends_the_curves_and_not_the_run(
    prepare_tiny: Callable[..., Prepared], tmp_path: Path
) -> None:
    """The folder for the log is a file: the first write fails, and nothing is tried after it."""
    prepared = prepare_tiny()
    (tmp_path / "tensorboard").write_text("in the way")
    told: list[tuple[str, ...]] = []
    tracker = Tracker(Trainer(prepared, tmp_path).accelerator, prepared.config, lambda *words: told.append(words))
    tracker.step(StepCompleted(1, 0, 0.5, 1e-4, 2.0, 0.25))
    tracker.close()
    assert [words[0] for words in told] == ["TensorBoard's curves end here"]
