"""The demo learns what a shoe is, in a tenth of the samples of `make demo`: its held-out loss says so.

The seed is not the demo's own, with which test_exactness.py sees it fall as far.
"""

from collections.abc import Callable
from typing import Any

from engine.contract.protocol import ValidationLossMeasured
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState

Launch = Callable[..., RunDir]
WatchRun = Callable[[RunDir], Any]

DEMO = {
    "resolution": 64, "train_batch_size": 8, "gradient_accumulation_steps": 1, "max_train_steps": 60,
    "validation_steps": 60, "num_validation_images": 0, "checkpointing_steps": 60,
}  # fmt: skip


def test_the_held_out_loss_falls_by_three_tenths(launch: Launch, watch: WatchRun) -> None:
    run = launch(**DEMO, seed=7)
    events = [record.event for record in watch(run).until_the_end()]
    assert run.state() is RunState.FINISHED
    before, after = [event.loss for event in events if isinstance(event, ValidationLossMeasured)]
    assert after <= 0.7 * before
