"""The trainer in a process of its own, with nothing around it: told how many steps to do, it says when each ended."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from engine.contract.config import TrainingConfig
from engine.contract.config_file import load_config
from engine.contract.run_dir import Workspace
from tests.benchmarks.answering_process import AnsweringProcess


@dataclass(frozen=True)
class Told:
    """When each step was done, seconds of the processor for all of them, and the most bytes until then."""

    ends: list[float]
    computed: float
    peak: int
    loss: float | None  # of the pictures that were held out, where no step was asked for


class TrainerAlone(AnsweringProcess):
    """Prepares as a worker does, which takes until the first answer."""

    def __init__(self, config: TrainingConfig, folder: Path, name: str) -> None:
        file = folder / f"{name}.json"
        file.write_text(config.model_dump_json())
        super().__init__(__name__, str(file), str(folder))

    def steps(self, count: int) -> Told:
        """Do so many steps."""
        return Told(*self.ask(count))

    def validation_loss(self) -> float:
        """Of the state that it has come to."""
        loss = self.steps(0).loss
        assert loss is not None
        return loss


def train(file: Path, folder: Path) -> None:
    """What runs in that process. On a CPU fp16 is computed for the sake of its numbers, although a run refuses it."""
    import torch

    from engine import device as devices
    from engine.preparation import prepare
    from engine.trainer import Trainer
    from engine.validation import validation_loss
    from tests.loss_scaling import compute_in_fp16, scale_losses

    config = load_config(file)
    fp16_on_cpu = config.mixed_precision == "fp16" and devices.choose_device(config.device).name == "cpu"
    if fp16_on_cpu:
        devices.choose_precision = lambda *_: devices.Precision("no", torch.float16, "fp16", "")
    prepared = prepare(config, Workspace(folder), lambda _: lambda *_: None, lambda _: None)
    trainer = Trainer(prepared)
    if fp16_on_cpu:
        scale_losses(trainer)
        compute_in_fp16(trainer)
    for line in sys.stdin:
        ends, computed = [], time.process_time()
        for _ in range(int(line)):
            trainer.step(lambda: 0.0)
            devices.synchronize(prepared.device)
            ends.append(time.perf_counter())
        computed = time.process_time() - computed
        peak, loss = devices.peak_memory(prepared.device), None
        if not ends:
            loss = validation_loss(trainer.unet, prepared.base, prepared.data, trainer.device, 8, lambda: 0.0)[0]
        print(json.dumps([ends, computed, peak, loss]), flush=True)


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
