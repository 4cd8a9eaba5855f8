"""A small network that tells the 28 kinds, shoes and mush apart; all that it learns from are drawings."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from engine.demo.things import KINDS
from tests.judge.distortion import bent, moved, softened, tinted
from tests.judge.mush import mush
from tests.judge.specimens import EXAMINED_BY, LEARNT_FROM, SHOE, SIDE, Specimen, shoes, things, to_tensor

NONE = "none"
NAMES = [*KINDS, SHOE, NONE]
THINGS, SHOES = 4200, 480  # drawings to learn from
WEIGHT = {SHOE: 2.0, NONE: 8.0}  # how often a class comes in training, where each of the kinds comes once
STEPS, BATCH, LEARNING_RATE = 1000, 64, 4e-3
EXAMINED = 1120, 240  # things and shoes
REQUIRED = 0.98
SEED = 4


class WrongJudgeError(Exception):
    """The classifier is wrong too often to judge anything."""


@dataclass(frozen=True)
class Examination:
    """Shares that were told rightly of held-out drawings."""

    things: float
    shoes: float
    mush: float
    mush_as_shoe: float
    drawings: float  # things and shoes together
    softened: float  # the same, distorted as the training pictures are

    def __str__(self) -> str:
        return (
            f"of {sum(EXAMINED)} held-out drawings {self.drawings:.1%} right (things {self.things:.1%}, shoes "
            f"{self.shoes:.1%}; {self.softened:.1%} when softened, bent and tinted); of pictures of mush "
            f"{self.mush:.1%} are told as such, {self.mush_as_shoe:.1%} are taken for a shoe"
        )


class Judge:
    """Says what is in a picture."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()

    @torch.no_grad()
    def kinds(self, pictures: Sequence[Image.Image]) -> list[str]:
        """For each picture of 64 x 64 pixels a name out of NAMES."""
        return [NAMES[index] for index in self.told(_values(to_tensor(list(pictures))))]

    @torch.no_grad()
    def told(self, values: Tensor) -> list[int]:
        """Indices into NAMES for values (N, 3, 64, 64) in [0, 1]."""
        told: list[int] = []
        for first in range(0, len(values), BATCH):
            told += self._network(values[first : first + BATCH]).argmax(dim=1).tolist()
        return told


def ready_judge(folder: Path) -> tuple[Judge, Examination]:
    """The judge from `folder`, trained if there is none for these drawings and this code; some minutes on one core.

    Raises WrongJudgeError if it tells less than 98 % of the held-out drawings rightly.
    """
    torch.set_num_threads(1)
    examined = things(EXAMINED_BY, EXAMINED[0]) + shoes(EXAMINED_BY, EXAMINED[1])
    network = _network()
    file = folder / f"classifier-{_digest(examined)}.safetensors"
    if not file.is_file():
        _train(network)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(network.state_dict(), file)
    network.load_state_dict(load_file(file))
    judge = Judge(network)
    result = _examine(judge, examined)
    if result.drawings < REQUIRED:
        raise WrongJudgeError(f"The judge is no judge: {result}; {REQUIRED:.0%} are required.")
    return judge, result


def _digest(specimens: list[Specimen]) -> str:
    """Of drawings and code: whoever changes how things are drawn, or how is learnt, gets a new judge."""
    digest = hashlib.sha256()
    for source in ("classifier", "distortion", "mush", "specimens"):
        digest.update(Path(__file__).with_name(f"{source}.py").read_bytes())
    for specimen in specimens:
        digest.update(specimen.picture.tobytes())
    return digest.hexdigest()[:12]


def _network() -> nn.Sequential:
    """Pictures (N, 3, 64, 64) in [0, 1] to logits (N, 30)."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        layers: list[nn.Module] = []
        inside = 3
        for width, stride, size in ((24, 2, 5), (48, 2, 3), (64, 1, 3), (96, 2, 3), (128, 1, 3)):
            convolution = nn.Conv2d(inside, width, size, stride, size // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            inside = width
        head = [nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(inside * 16, len(NAMES))]
        return nn.Sequential(*layers, *head)


def _train(network: nn.Sequential) -> None:
    """Fit the network to distorted drawings; the same weights each time."""
    specimens = things(LEARNT_FROM, THINGS) + shoes(LEARNT_FROM, SHOES)
    extra = _mush_of(specimens, LEARNT_FROM)
    pictures = torch.cat([to_tensor([specimen.picture for specimen in specimens]), extra])
    names = [specimen.kind for specimen in specimens] + [NONE] * len(extra)
    truth = torch.tensor([NAMES.index(name) for name in names])
    chances = torch.tensor([WEIGHT.get(name, 1.0) / names.count(name) for name in names])
    draws = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.02)
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / STEPS))
            chosen = torch.multinomial(chances, BATCH, replacement=True, generator=draws)
            values = distorted(_values(pictures[chosen]), draws)
            loss = F.cross_entropy(network(values), truth[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if (step + 1) % 100 == 0:
                print(f"training the judge {step + 1}/{STEPS}, loss {loss.item():.3f}", flush=True)


def distorted(values: Tensor, draws: torch.Generator) -> Tensor:
    """As a generated picture may be: a little bent, moved, soft and tinted."""
    little = torch.rand(len(values), generator=draws) * 2
    return tinted(softened(moved(bent(values, little, draws), draws), draws), draws).clamp(0, 1)


def _examine(judge: Judge, specimens: list[Specimen]) -> Examination:
    values = _values(to_tensor([specimen.picture for specimen in specimens]))
    truth = torch.tensor([NAMES.index(specimen.kind) for specimen in specimens])
    right = torch.tensor(judge.told(values)) == truth
    soft = distorted(values, torch.Generator().manual_seed(EXAMINED_BY))
    told = judge.told(_values(_mush_of(specimens, EXAMINED_BY)))
    is_shoe = truth == NAMES.index(SHOE)
    return Examination(
        things=_share(right[~is_shoe]),
        shoes=_share(right[is_shoe]),
        mush=told.count(NAMES.index(NONE)) / len(told),
        mush_as_shoe=told.count(NAMES.index(SHOE)) / len(told),
        drawings=_share(right),
        softened=_share(torch.tensor(judge.told(soft)) == truth),
    )


def _mush_of(specimens: list[Specimen], seed: int) -> Tensor:
    """Made of every shoe, for which it must not be taken, and of some of the things."""
    return mush([one for number, one in enumerate(specimens) if one.kind == SHOE or number % 5 == 0], seed)


def _share(right: Tensor) -> float:
    return right.float().mean().item()


def _values(pictures: Tensor) -> Tensor:
    """Bytes to numbers in [0, 1]."""
    assert pictures.shape[1:] == (3, SIDE, SIDE), "the judge knows pictures of 64 x 64"
    return (pictures.float() / 255).to(memory_format=torch.channels_last)
