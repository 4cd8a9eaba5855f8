"""Checkpointing modes: the same numbers and gradients, and the work that each one does twice."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from engine import activations
from engine.attention import recomputed_product, set_gradient_checkpointing
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.lora import adapter_state, add_adapter, load_adapter_state

MODES: tuple[CheckpointingMode, ...] = ("none", "attention", "full")


class CountedProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The tokens of every forward attention product, once for each sample, and the most heads of a call."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tokens: list[int] = []
        self.heads = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if "scaled_dot_product" in str(func) and "backward" not in str(func):
            samples, heads, tokens, _ = args[0].shape
            self.tokens += [tokens] * samples
            self.heads = max(self.heads, heads)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def unet(base_model_dir: Path) -> UNet2DConditionModel:
    model = UNet2DConditionModel.from_pretrained(base_model_dir / "unet").requires_grad_(False)
    add_adapter(model, TrainingConfig(lora_rank=2))
    generator = torch.Generator().manual_seed(0)
    load_adapter_state(model, {k: torch.randn(v.shape, generator=generator) for k, v in adapter_state(model).items()})
    return model


def step(unet: UNet2DConditionModel, side: int) -> tuple[Tensor, dict[str, Tensor], list[int]]:
    """Prediction, gradients, and the tokens of every attention product, for latents of side x side."""
    generator = torch.Generator().manual_seed(1)
    noisy, text = (torch.randn(shape, generator=generator) for shape in ((2, 4, side, side), (2, 7, 32)))
    unet.zero_grad()
    with CountedProducts() as counted:
        prediction = unet(noisy, torch.tensor([10, 900]), text).sample
        prediction.square().mean().backward()
    gradients = {name: p.grad.clone() for name, p in unet.named_parameters() if p.requires_grad and p.grad is not None}
    return prediction.detach(), gradients, counted.tokens


@pytest.mark.parametrize("mode", ["attention", "full"])
def test_a_mode_changes_neither_prediction_nor_gradients(unet: UNet2DConditionModel, mode: CheckpointingMode) -> None:
    plain, plain_gradients, _ = step(unet, 32)
    set_gradient_checkpointing(unet, mode)
    prediction, gradients, _ = step(unet, 32)
    assert torch.equal(prediction, plain)
    assert len(gradients) == len(plain_gradients) == 64
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain_gradients[name], rtol=1e-6, atol=1e-6)


def test_only_long_self_attention_is_computed_again(unet: UNet2DConditionModel) -> None:
    # 32x32 latents: three transformer blocks see 1,024 tokens, the middle one sees 256; each has two attentions.
    _, _, plain = step(unet, 32)
    assert sorted(plain) == [256] * 2 * 2 + [1024] * 6 * 2
    set_gradient_checkpointing(unet, "attention")
    assert sorted(step(unet, 32)[2]) == [256] * 2 * 2 + [1024] * 9 * 2
    assert len(step(unet, 24)[2]) == 8 * 2  # 576 tokens are not long
    with torch.no_grad(), CountedProducts() as counted:
        unet(torch.zeros(1, 4, 32, 32), 1, torch.zeros(1, 7, 32))
    assert len(counted.tokens) == 8


@pytest.mark.parametrize("mode", ["attention", "full"])
@pytest.mark.parametrize("kernel", [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH], ids=["fused", "scores kept"])
def test_scores_of_a_few_heads_at_a_time_make_the_same_gradients(
    unet: UNet2DConditionModel, mode: CheckpointingMode, kernel: SDPBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activations, "SCORES_AT_ONCE", 3 * 4 * 1024**2)  # of three heads
    with sdpa_kernel(kernel):
        _, plain, _ = step(unet, 32)
        set_gradient_checkpointing(unet, mode)
        _, gradients, _ = step(unet, 32)
    assert gradients.keys() == plain.keys()
    for name, gradient in gradients.items():
        assert (gradient - plain[name]).norm() <= 1e-4 * plain[name].norm(), name  # products of another shape round


def test_never_more_heads_at_a_time_than_their_scores_have_room() -> None:
    assert [activations.heads_at_once(tokens) for tokens in (1024, 4096, 9216, 65536)] == [64, 4, 1, 1]
    query, key, value = (torch.zeros(1, 6, 1024, 2, requires_grad=True) for _ in range(3))
    with pytest.MonkeyPatch.context() as patch, CountedProducts() as counted:
        patch.setattr(activations, "SCORES_AT_ONCE", 4 * 4 * 1024**2)
        torch.autograd.backward(recomputed_product(query, key, value).sum())
    assert (counted.tokens, counted.heads) == ([1024] * 2 * 2, 4)


@pytest.mark.parametrize("before", MODES)
@pytest.mark.parametrize(("mode", "products"), [("none", 8), ("attention", 11), ("full", 19)])
def test_setting_a_mode_undoes_the_others(
    unet: UNet2DConditionModel, before: CheckpointingMode, mode: CheckpointingMode, products: int
) -> None:
    set_gradient_checkpointing(unet, before)
    set_gradient_checkpointing(unet, mode)
    assert len(step(unet, 32)[2]) == products * 2  # of two samples
