"""Memory of a step of SD 1.5 in every mode: estimated, and followed storage by storage; and a real process on a CPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contract.adjustments import MODES
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.estimate import GIB, encoder_bytes, memory_parts
from engine.machine import Room
from engine.unet_layers import SD15_UNET
from tests.meta_step import Kernels, MetaStep

WIDTHS = (96, 192, 384)  # of a UNet like SD 1.5's of a third of its width, 40 million parameters
# A process that does nothing but three steps; prints the most bytes that it had.
PROCESS = """
import json, resource, sys, torch, engine.trainer, engine.validation
from diffusers import UNet2DConditionModel
from engine.attention import set_gradient_checkpointing
from engine.contract.config import TrainingConfig
from engine.device import CPU, keep_freed_memory
from engine.lora import add_adapter
file, mode, batch, side = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(1)
keep_freed_memory(CPU)
unet = UNet2DConditionModel.from_config(json.load(open(file))).requires_grad_(False)
add_adapter(unet, TrainingConfig())
set_gradient_checkpointing(unet.train(), mode)
for _ in range(3):
    text = torch.randn(batch, 77, unet.config.cross_attention_dim)
    unet(torch.randn(batch, 4, side, side), torch.zeros(batch), text).sample.square().mean().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.timeout(1800)
def test_sd15_on_gpus() -> None:
    """72 combinations; the worst may be 10 % off."""
    print(f"\n{'scores':<7}{'base':<6}{'px':<5}{'mode':<11}{'batch':<7}{'estimate':>9}{'tracked':>9}{'':>8}")
    errors = []
    for kernels in (Kernels(scores, half) for scores in (True, False) for half in (False, True)):
        step = MetaStep(SD15_UNET, TrainingConfig(), kernels)
        precision = "fp16" if kernels.half else "no"
        room = Room(GIB, "device", is_metal=kernels.keep_scores)
        for resolution in (512, 256):
            for mode in MODES:
                for batch in (1, 2, 4):
                    config = TrainingConfig(
                        train_batch_size=batch, gradient_checkpointing=mode, resolution=resolution,
                        mixed_precision=precision,
                    )  # fmt: skip
                    parts = memory_parts(config, room)
                    estimate = parts.weights + parts.activations + parts.optimizer // 2
                    tracked = step.peak(mode, batch, resolution)
                    errors.append(estimate / tracked - 1)
                    scores, base = "kept" if kernels.keep_scores else "fused", "fp16" if kernels.half else "fp32"
                    print(
                        f"{scores:<7}{base:<6}{resolution:<5}{mode:<11}{batch:<7}{estimate / GIB:9.2f}"
                        f"{tracked / GIB:9.2f}{errors[-1]:+8.1%}", flush=True,
                    )  # fmt: skip
    assert max(map(abs, errors)) < 0.1


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("mode", "batch", "resolution"), [("none", 4, 256), ("attention", 4, 256), ("full", 4, 256), ("attention", 1, 512)]
)
def test_a_process_on_a_cpu(mode: CheckpointingMode, batch: int, resolution: int, tmp_path: Path) -> None:
    """All that a process of a model of medium size has, its libraries among them; there are no encoders."""
    config = json.loads(SD15_UNET.read_text())
    blocks = ["CrossAttnDownBlock2D"] * 2 + ["DownBlock2D"]
    config |= {"block_out_channels": WIDTHS, "cross_attention_dim": 256, "down_block_types": blocks}
    config["up_block_types"] = ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]
    for part in ("unet", "text_encoder", "vae"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "model.safetensors").touch()
    file = tmp_path / "unet" / "config.json"
    file.write_text(json.dumps(config))
    settings = TrainingConfig(
        pretrained_model_name_or_path=str(tmp_path), train_batch_size=batch, gradient_checkpointing=mode,
        resolution=resolution,
    )  # fmt: skip
    compare(settings, file, memory_parts(settings, Room(GIB, "machine")).total)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", MODES)
def test_sd15_on_a_cpu(mode: CheckpointingMode, tmp_path: Path) -> None:
    """The same with the real architecture, whose encoders are not there either."""
    settings = TrainingConfig(
        pretrained_model_name_or_path=str(tmp_path), train_batch_size=2, gradient_checkpointing=mode, resolution=256
    )
    parts = memory_parts(settings, Room(GIB, "machine"))
    compare(settings, SD15_UNET, parts.total - encoder_bytes(str(tmp_path)))


def compare(config: TrainingConfig, unet: Path, estimate: int) -> None:
    """What was estimated against the most that a process had."""
    mode, batch, pixels = config.checkpointing_mode, config.micro_batch_size, config.resolution
    command = [sys.executable, "-c", PROCESS, str(unet), mode, str(batch), str(pixels // 8)]
    measured = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(
        f"\nCPU, {mode}, batch {batch}, {pixels} px: estimate {estimate / GIB:.2f} GiB, "
        f"measured {measured / GIB:.2f} GiB, {estimate / measured - 1:+.1%}"
    )
    assert estimate / measured == pytest.approx(1, abs=0.1)
