"""`python -m engine.preflight`: trains a few steps without keeping them, and says what the whole run will cost."""

import argparse
import sys
from statistics import median

from engine import device as devices
from engine import machine, tool
from engine.contract import adjustments
from engine.contract.config import TrainingConfig
from engine.contract.describe import duration
from engine.contract.run_dir import Workspace
from engine.measured_pace import keep_measurement
from engine.preparation import prepare
from engine.trainer import Trainer

STEPS = 5
WARM_UP = 1  # the first step also compiles kernels and fills the allocator


def preflight(config: TrainingConfig, workspace: Workspace, _: argparse.Namespace) -> int:
    """Prepare as a run does, train, and report loss, seconds per step, memory and expected time.

    The pace is kept, so that the console can foretell the time of runs like this one.
    """
    prepared = prepare(config, workspace, tool.print_progress, tool.print_warning)
    summary = prepared.summary()
    print(f"[OK] device: {summary.device} ({summary.device_reason}), {summary.dtype} ({summary.dtype_reason})")
    print(f"[OK] data: {summary.train_samples} training and {summary.validation_samples} validation samples, "
          f"{summary.skipped_samples} skipped")  # fmt: skip
    print(f"[OK] adapter: {summary.trainable_parameters:,} trainable parameters")
    print(f"[OK] memory: micro-batches of {summary.train_batch_size} x {summary.gradient_accumulation_steps}, "
          f"gradient_checkpointing {summary.gradient_checkpointing} ({summary.memory_reason or 'as set'})",
          flush=True)  # fmt: skip
    trainer = Trainer(prepared)
    seconds = []
    for _step in range(STEPS):
        completed = trainer.step(lambda: 0.0)
        seconds.append(completed.seconds)
        print(f"step {completed.step}/{STEPS} loss {completed.train_loss:.4f} grad {completed.gradient_norm:.3g} "
              f"{completed.seconds:.2f} s", flush=True)  # fmt: skip
    pace = median(seconds[WARM_UP:])
    peak = devices.peak_memory(prepared.device)
    print(f"[OK] {pace:.2f} s per step (median after the first), peak memory {peak / 2**30:.2f} GiB")
    _keep(workspace, adjustments.apply(config, prepared.chosen), pace, peak, devices.memory(prepared.device).limit)
    at_once = machine.at_once(config.num_processes, is_cpu=prepared.device.name == "cpu")
    shared = f" in {at_once} processes" if at_once > 1 else ""
    print(
        f"{config.max_train_steps} steps of {config.effective_batch_size} samples will take about "
        f"{duration(pace * config.max_train_steps / at_once)}{shared}, validation not counted. "
        "Nothing but these figures was kept."
    )
    return 0


def _keep(workspace: Workspace, config: TrainingConfig, pace: float, peak: int, limit: int) -> None:
    """Leave the figures for estimates; that they cannot be written is no reason to fail."""
    try:
        keep_measurement(workspace, config, pace, peak, limit)
    except OSError as error:
        print(f"[WARN] These figures could not be kept: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(tool.run(argparse.ArgumentParser(prog="engine.preflight"), preflight))
