"""A fit that was interrupted ends with the weights of one in a single go, and what is finished is left alone."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.demo.build import fitting
from engine.demo.build.fitting import Batch, Member, Plan, fit

ALONE = Member(0, 1)
PLAN = Plan(steps=12, batch=4, learning_rate=1e-2)


class StoppedError(Exception):
    pass


class Line(nn.Module):
    """Squared error of a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Linear(5, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        error: Tensor = (self.layer(inputs) - inputs[:, :2]).square().mean()
        return error


def draw(_step: int, count: int, draws: torch.Generator) -> Batch:
    return (torch.randn(count, 5, generator=draws),)


@pytest.fixture(autouse=True)
def saved_after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "SAVED_EVERY", -1.0)


def test_an_interrupted_fit_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def breaks_off(step: int, count: int, draws: torch.Generator) -> Batch:
        if step == 7:
            raise StoppedError
        return draw(step, count, draws)

    fit(Line(), draw, PLAN, tmp_path / "whole.safetensors", ALONE)
    with pytest.raises(StoppedError):
        fit(Line(), breaks_off, PLAN, tmp_path / "parts.safetensors", ALONE)
    assert (tmp_path / "parts.state").is_file()
    fit(Line(), draw, PLAN, tmp_path / "parts.safetensors", ALONE)
    whole, parts = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "parts.safetensors")
    assert whole.keys() == parts.keys() == {"layer.weight", "layer.bias"}
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert not (tmp_path / "parts.state").exists()


def test_what_is_finished_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "done.safetensors"
    fit(Line(), draw, PLAN, file, ALONE)
    before = file.read_bytes()
    assert "done: step 12/12, loss " in capsys.readouterr().out
    fit(Line(), draw, PLAN, file, ALONE)
    assert file.read_bytes() == before
    assert capsys.readouterr().out == ""


def test_only_the_first_process_writes_and_speaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(Line(), draw, PLAN, tmp_path / "second.safetensors", Member(1, 1))
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""
