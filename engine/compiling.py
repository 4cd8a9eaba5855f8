"""torch.compile, for training steps alone: a transformer block's many small kernels become a few."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import UNet2DConditionModel

BACKEND = "inductor"


def compile_blocks(unet: UNet2DConditionModel) -> None:
    """Have the UNet's transformer blocks compiled in place, at the first step for each of their shapes.

    Names of weights stay as they are. The whole UNet would take ten times as long to compile, for little more: its
    convolutions come from a library either way. Outside of `compiled` the blocks run as they were written, since
    pictures and losses between two steps have other shapes, each of which would be compiled anew.
    """
    unet.compile_repeated_blocks(backend=BACKEND, dynamic=False)
    torch.compiler.set_stance("force_eager")


def compile_anew() -> None:
    """Forget what was compiled, for other shapes or another way through the blocks to come.

    torch compiles each function at most eight times, of which SD 1.5 needs four, and then computes it as it was
    written without a word.
    """
    torch.compiler.reset()


@contextmanager
def compiled(whether: bool) -> Iterator[None]:
    """What is computed in here uses what was compiled; also what the way back computes again."""
    if not whether:
        yield
        return
    with torch.compiler.set_stance("default"):
        yield
