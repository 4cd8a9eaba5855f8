"""Pictures on request: what was asked for is drawn, told and listed; adapters count as plain diffusers has it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from engine import sample
from engine.checkpoint import TrainingState, save_checkpoint
from engine.contract import generated
from engine.contract.config import TrainingConfig
from engine.contract.errors import ModelError, TrainingError
from engine.contract.generated import GeneratedPicture
from engine.contract.protocol import PhaseProgressed
from engine.contract.run_dir import Workspace
from engine.export import export_adapter
from engine.latent_cache import EmbeddingCache
from engine.lora import adapter_state, load_adapter_file, load_adapter_state
from engine.model import BaseModel, load_base_model
from engine.preparation import Prepared

Make = Callable[..., TrainingConfig]
PROMPT, NEGATIVE, WEIGHT = "a photo of red shoes", "blurry", 0.5


@pytest.fixture(scope="module")
def adapters(prepare_tiny: Callable[..., Prepared], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An adapter far from zero, as a checkpoint and as an export."""
    prepared, folder = prepare_tiny(), tmp_path_factory.mktemp("adapters")
    unet, generator = prepared.base.unet, torch.Generator().manual_seed(3)
    state = {name: torch.randn(old.shape, generator=generator) * 0.2 for name, old in adapter_state(unet).items()}
    load_adapter_state(unet, state)
    whole = TrainingState(5, state, {"x.exp_avg": torch.zeros(1)}, {}, {}, "")
    export_adapter(unet, prepared.config, folder / "lora_weights", run_name="shoes", step=5, train_samples=16)
    return {
        "checkpoint": save_checkpoint(folder, whole, prepared.config).path,
        "export": folder / "lora_weights",
    }


def plain_pipeline(config: TrainingConfig) -> Any:
    """diffusers by itself, with the scheduler of validation."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        config.pretrained_model_name_or_path, safety_checker=None, requires_safety_checker=False
    )
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def plain_pictures(config: TrainingConfig, adapter: Path, seeds: list[int], **kind: object) -> Any:
    pipeline = plain_pipeline(config)
    pipeline.load_lora_weights(adapter, weight_name="pytorch_lora_weights.safetensors")
    return pipeline(
        [PROMPT] * len(seeds), negative_prompt=[NEGATIVE] * len(seeds), height=64, width=64,
        num_inference_steps=3, guidance_scale=4.0, generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        cross_attention_kwargs={"scale": WEIGHT}, **kind,
    ).images  # fmt: skip


def settings(make: Make, **more: object) -> TrainingConfig:
    return make(
        seed=7, validation_inference_steps=3, validation_guidance_scale=4.0, validation_negative_prompt=NEGATIVE, **more
    )


# ---- the process -------------------------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def begin(config: TrainingConfig, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "engine.sample", "--workspace", str(tmp_path), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        running.append(process)
        assert process.stdin
        process.stdin.write(config.model_dump_json())
        process.stdin.close()
        process.stdin = None
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def test_what_is_asked_for_is_drawn_told_and_listed(
    start: Callable[..., subprocess.Popen[str]], tiny_config: Make, adapters: dict[str, Path], tmp_path: Path
) -> None:
    config = settings(tiny_config)
    process = start(
        config, "--json", f"--adapter={adapters['checkpoint']}", f"--adapter-weight={WEIGHT}", "--count=2",
        f"--prompt={PROMPT}",
    )  # fmt: skip
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    said = [generated.decode(line) for line in out.splitlines()]
    assert None not in said
    progress = [one for one in said if isinstance(one, PhaseProgressed)]
    assert {one.phase for one in progress} == {"loading the base model", "encoding prompts", "denoising"}
    assert progress[-1] == PhaseProgressed("denoising", 3, 3)  # both pictures are one batch

    pictures = [one for one in said if isinstance(one, GeneratedPicture)]
    (folder,) = (tmp_path / "outputs" / "samples").iterdir()
    assert pictures == [
        GeneratedPicture(
            str(folder / f"0{index}.png"), PROMPT, NEGATIVE, 7 + index, 3, 4.0, config.pretrained_model_name_or_path,
            str(adapters["checkpoint"]), WEIGHT,
        )
        for index in range(2)
    ]  # fmt: skip
    assert generated.read_list(folder) == pictures
    assert [entry["file"] for entry in json.loads((folder / "samples.json").read_text())] == ["00.png", "01.png"]

    plain = plain_pictures(config, adapters["export"], [7, 8])
    for picture, expected in zip(pictures, plain, strict=True):
        with Image.open(picture.file) as image:
            image.load()
            assert image.text["negative_prompt"] == NEGATIVE
            assert image.text["adapter_weight"] == "0.5"
            assert np.abs(np.asarray(image).astype(int) - np.asarray(expected).astype(int)).max() <= 1


def test_a_stop_keeps_what_was_drawn_and_lists_it(
    start: Callable[..., subprocess.Popen[str]], tiny_config: Make, tmp_path: Path
) -> None:
    config = settings(tiny_config, train_batch_size=1)
    process = start(config, "--json", "--count=64", f"--prompt={PROMPT}")
    assert process.stdout
    told = next(said for line in process.stdout if isinstance(said := generated.decode(line), GeneratedPicture))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err
    (folder,) = (tmp_path / "outputs" / "samples").iterdir()
    listed = generated.read_list(folder)
    assert listed[0] == told
    assert 1 <= len(listed) < 64
    assert all(Path(picture.file).is_file() for picture in listed)


# ---- the adapter's weight ------------------------------------------------------------------------------------------


def drawn(config: TrainingConfig, workspace: Workspace, *arguments: str) -> Any:
    """Runs the tool in this process; returns the pictures of its folder."""
    output = workspace.root / "drawn"
    given = sample.parser().parse_args([f"--prompt={PROMPT}", f"--output={output}", *arguments])
    assert sample.sample(config, workspace, given) == 0
    return [np.asarray(Image.open(picture.file)).astype(int) for picture in generated.read_list(output)]


def predicted(base: BaseModel) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    noisy, text = (torch.randn(shape, generator=generator) for shape in ((2, 4, 8, 8), (2, 7, 32)))
    with torch.no_grad():
        prediction: torch.Tensor = base.unet(noisy, torch.tensor([10, 900]), text).sample
    return prediction


@pytest.mark.parametrize("weight", [0.0, WEIGHT, 1.0, 2.0])
@pytest.mark.parametrize("kind", ["checkpoint", "export"])
def test_a_weighted_adapter_predicts_what_plain_diffusers_does(
    tiny_config: Make, adapters: dict[str, Path], kind: str, weight: float
) -> None:
    base = load_base_model(tiny_config().pretrained_model_name_or_path, torch.float32, "auto")
    untouched = predicted(base)
    load_adapter_file(base.unet, adapters[kind], weight)
    plain = plain_pipeline(tiny_config())
    plain.load_lora_weights(adapters["export"], weight_name="pytorch_lora_weights.safetensors", adapter_name="shoes")
    plain.set_adapters("shoes", weight)
    assert torch.allclose(predicted(base), predicted(plain), atol=1e-4)
    assert torch.allclose(predicted(base), untouched, atol=1e-4) == (weight == 0)


def test_a_weight_of_nothing_is_the_base_model(tiny_config: Make, adapters: dict[str, Path], tmp_path: Path) -> None:
    config, workspace = settings(tiny_config), Workspace(tmp_path)
    (plain,) = drawn(config, workspace)
    (weightless,) = drawn(config, workspace, f"--adapter={adapters['export']}", "--adapter-weight=0")
    (whole,) = drawn(config, workspace, f"--adapter={adapters['export']}")
    assert np.abs(weightless - plain).max() <= 1
    assert np.abs(whole - plain).max() > 3


# ---- what can be wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--count=0", "'0' is no whole number from 1 to 64"),
        ("--count=many", "'many' is no whole number from 1 to 64"),
        ("--adapter-weight=2.1", "'2.1' is no number from 0 to 2"),
        ("--adapter-weight=nan", "'nan' is no number from 0 to 2"),
    ],
)
def test_a_bad_value_is_named(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        sample.parser().parse_args([word])
    assert said in capsys.readouterr().err


def test_an_adapter_of_another_width_says_so_and_where_it_belongs(
    tiny_config: Make, adapters: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).write_bytes((adapters["export"] / name).read_bytes())
    weights = tmp_path / "adapter_model.safetensors"
    wider = {name: torch.cat([tensor, tensor], dim=1) for name, tensor in load_file(weights).items()}
    save_file(wider, weights)
    with pytest.raises(ModelError) as caught:
        drawn(settings(tiny_config), Workspace(tmp_path / "place"), f"--adapter={tmp_path}")
    assert "does not fit this base model" in caught.value.what
    assert "has shape" in caught.value.why
    assert tiny_config().pretrained_model_name_or_path in caught.value.remedy


def test_a_file_of_another_format_says_which_one_to_give(tiny_config: Make, adapters: dict[str, Path]) -> None:
    base = load_base_model(tiny_config().pretrained_model_name_or_path, torch.float32, "auto")
    with pytest.raises(ModelError, match="cannot be read") as caught:
        load_adapter_file(base.unet, adapters["export"] / "pytorch_lora_weights.safetensors")
    assert "another format than adapter_model.safetensors" in caught.value.why


def test_memory_too_small_for_one_picture_is_told_with_what_to_do(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", starved)
    config, workspace = settings(tiny_config), Workspace(tmp_path)
    monkeypatch.setattr(EmbeddingCache, "fill", lambda *_: None)
    monkeypatch.setattr(EmbeddingCache, "get", lambda *_: torch.zeros(77, 32))
    with pytest.raises(TrainingError, match="Memory ran out while a picture was drawn") as caught:
        drawn(config, workspace)
    assert "Close other programs" in caught.value.remedy
