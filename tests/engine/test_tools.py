"""preflight and sample as the processes that they are: config on standard input, words and an exit code out."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine import demo
from engine.contract.config import TrainingConfig
from engine.contract.describe import duration
from engine.contract.run_dir import Workspace
from engine.export import export_adapter
from engine.lora import adapter_state, load_adapter_state
from engine.measured_pace import read_preflights
from engine.preparation import Prepared
from engine.validation import ImageGenerator, ImageSettings

PROMPTS = ["a photo of red shoes", "blue sneakers on white background", "a photo of red shoes"]


@dataclass(frozen=True)
class Started:
    """A tool at work in a workspace of its own."""

    workspace: Workspace
    process: subprocess.Popen[str]

    def ended(self) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        out, err = self.process.communicate(timeout=100)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def trained(prepare_tiny: Callable[..., Prepared]) -> Prepared:
    """A tiny run whose adapter is at random, far from zero."""
    prepared = prepare_tiny(validation_prompts=PROMPTS[:2])
    unet, generator = prepared.base.unet, torch.Generator().manual_seed(3)
    state = {name: torch.randn(old.shape, generator=generator) * 0.2 for name, old in adapter_state(unet).items()}
    load_adapter_state(unet, state)
    return prepared


@pytest.fixture(scope="module")
def started(
    tiny_config: Callable[..., TrainingConfig], trained: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Started]]:
    """Three tools, side by side: most of their time goes into imports."""
    folder = tmp_path_factory.mktemp("tools")
    export_adapter(
        trained.base.unet, trained.config, folder / "lora_weights", run_name="shoes", step=1, train_samples=16
    )
    running: dict[str, Started] = {}

    def start(name: str, tool: str, settings: dict[str, object], *arguments: str) -> None:
        workspace = Workspace(folder / name)
        workspace.root.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"engine.{tool}", "--workspace", str(workspace.root), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=workspace.root,
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(json.dumps({**tiny_config().model_dump(), **settings}))
        process.stdin.close()
        process.stdin = None
        running[name] = Started(workspace, process)

    drawn = demo.data_folder("demo", Workspace(folder / "preflight"))
    start("preflight", "preflight", {"pretrained_model_name_or_path": str(demo.BASE_MODEL), "max_train_steps": 100,
                                     "train_data_dir": str(drawn)})  # fmt: skip
    start("no data", "preflight", {"train_data_dir": str(folder / "nowhere")})
    start("sample", "sample", {}, "--adapter", str(folder / "lora_weights"))
    yield running
    for tool in running.values():
        tool.process.kill()
        tool.process.wait()


def test_preflight_trains_five_steps_and_says_what_the_run_will_cost(started: dict[str, Started]) -> None:
    tool = started["preflight"]
    code, out, err = tool.ended()
    assert code == 0, err
    steps = re.findall(r"^step (\d)/5 loss \d\.\d{4} grad \S+ (\d+\.\d\d) s$", out, re.MULTILINE)
    assert [number for number, _ in steps] == list("12345")
    assert "[OK] device: cpu (asked for), fp32 (" in out
    assert "[OK] data: 88 training and 8 validation samples, 0 skipped" in out
    assert "[OK] adapter: 35,840 trainable parameters" in out
    figures = re.search(r"\[OK\] (\d+\.\d\d) s per step .*, peak memory (\d\.\d\d) GiB", out)
    cost = re.search(r"100 steps of 8 samples will take about (.*), validation not counted", out)
    assert figures, out
    assert cost, out
    seconds = sorted(float(step) for _, step in steps[1:])
    assert float(figures[1]) == pytest.approx(sum(seconds[1:3]) / 2, abs=0.011)
    assert 0.1 < float(figures[2]) < 10
    # The pace is printed to a hundredth of a second, so a hundred steps are known to a second.
    assert cost[1] in {duration(float(figures[1]) * 100 + more) for more in (-1, 0, 1)}
    assert "Traceback" not in err
    assert "%|" not in err  # no library's progress bar
    assert "torchvision" not in err

    assert [path.name for path in tool.workspace.root.iterdir()] == ["outputs"]
    assert {path.name for path in tool.workspace.outputs.iterdir()} == {".cache", ".demo"}
    (kept,) = read_preflights(tool.workspace)  # its figures, for estimates
    assert 2 * kept.seconds == pytest.approx(float(figures[1]), abs=0.011)  # of a micro-batch; a step has two


def test_preflight_says_in_words_what_is_missing(started: dict[str, Started]) -> None:
    tool = started["no data"]
    code, out, err = tool.ended()
    assert code == 1
    assert f"There is no folder {tool.workspace.root.parent / 'nowhere'}" in err
    assert "Do:" in err
    assert "Traceback" not in out + err
    assert not tool.workspace.outputs.exists()


def test_sample_draws_three_pictures_with_an_adapter(started: dict[str, Started], trained: Prepared) -> None:
    tool = started["sample"]
    code, out, err = tool.ended()
    assert code == 0, err
    (folder,) = (tool.workspace.outputs / "samples").iterdir()
    paths = sorted(folder.glob("*.png"))
    assert [path.name for path in paths] == ["00.png", "01.png", "02.png"]
    assert all(str(path) in out for path in paths)
    assert "torchvision" not in err

    wanted = [(prompt, 42 + number) for number, prompt in enumerate(PROMPTS)]
    for path, (prompt, seed), adapted, plain in zip(
        paths, wanted, drawn(trained, wanted), drawn_without_adapter(trained, wanted), strict=True
    ):
        with Image.open(path) as picture:
            picture.load()
            assert (picture.text["prompt"], picture.text["seed"]) == (prompt, str(seed))
            assert picture.text["adapter"] == str(tool.workspace.root.parent / "lora_weights")
            pixels = np.asarray(picture).astype(int)
        assert np.abs(pixels - adapted).max() <= 1
        assert np.abs(pixels - plain).max() > 3


def drawn(prepared: Prepared, wanted: list[tuple[str, int]]) -> list[Any]:
    """The pictures of the model in this process."""
    base, settings = prepared.base, ImageSettings.of(prepared.config, prepared.device)
    generator = ImageGenerator(base.unet, base, base.vae, prepared.data.embeddings, settings, prepared.device)
    made = generator.generate(wanted, lambda *_: None)
    return [np.asarray(picture.image).astype(int) for picture in made]


def drawn_without_adapter(prepared: Prepared, wanted: list[tuple[str, int]]) -> list[Any]:
    prepared.base.unet.disable_adapters()
    try:
        return drawn(prepared, wanted)
    finally:
        prepared.base.unet.enable_adapters()
