"""Latents and embeddings: what VAE and text encoder give, computed once, found by content."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

from engine.contract.errors import DataError, ModelError
from engine.contract.run_dir import Workspace
from engine.dataset import Sample, read_dataset
from engine.demo.drawing import draw_dataset
from engine.latent_cache import EmbeddingCache, LatentCache, to_tensor
from engine.model import BaseModel, load_base_model
from engine.picture import open_picture, to_square
from engine.picture_digests import file_digest

CPU = torch.device("cpu")
Pictures = list[tuple[Sample, str]]


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def base(base_model_dir: Path) -> BaseModel:
    return load_base_model(str(base_model_dir), torch.float32, "auto")


@pytest.fixture
def pictures(tiny_workspace: Workspace, tmp_path: Path) -> Pictures:
    """Five shoes in a folder of their own."""
    data = tmp_path / "data"
    data.mkdir()
    samples = read_dataset(tiny_workspace.root / "data").samples[:5]
    copied = [Sample(s.id, Path(shutil.copy(s.image, data)), s.captions) for s in samples]
    return [(sample, file_digest(sample.image)) for sample in copied]


@pytest.fixture
def calls(base: BaseModel) -> Iterator[list[str]]:
    """Filled with what the VAE's encoder and the text encoder are asked to compute."""
    made: list[str] = []
    hooks = [
        base.vae.encoder.register_forward_pre_hook(lambda *_: made.append("picture")),
        base.text_encoder.register_forward_pre_hook(lambda *_: made.append("text")),
    ]
    yield made
    for hook in hooks:
        hook.remove()


def assert_plain(cache: LatentCache, base: BaseModel, sample: Sample, digest: str, flipped: bool) -> None:
    """The cached tensor equals what a plain diffusers VAE makes of the picture, mirrored or not."""
    image = open_picture(sample.image)
    if flipped:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    with torch.no_grad():
        plain = base.vae.encode(to_tensor(to_square(image, 64))[None]).latent_dist
    mean, deviation = cache.get(digest, flipped)
    assert torch.allclose(mean, plain.mean[0], atol=1e-6)
    assert torch.allclose(deviation, plain.std[0], atol=1e-6)


def test_to_tensor_layout_and_range() -> None:
    picture = Image.new("RGB", (3, 2), (0, 255, 51))
    picture.putpixel((2, 1), (255, 255, 255))
    tensor = to_tensor(picture)
    assert tensor.shape == (3, 2, 3)
    assert tensor.dtype == torch.float32
    assert tensor[:, 0, 0].tolist() == pytest.approx([-1, 1, -0.6])
    assert tensor[:, 1, 2].tolist() == [1, 1, 1]
    assert tensor.is_contiguous()


@pytest.mark.parametrize("threads", [0, 2])
def test_mean_and_deviation_are_those_of_the_vae(
    base: BaseModel, pictures: Pictures, tmp_path: Path, threads: int
) -> None:
    cache = LatentCache(tmp_path / "cache", base.vae, 64)
    assert not any(cache.has(digest, flips=False) for _, digest in pictures)
    cache.fill(pictures, flips=True, threads=threads, device=CPU, progress=silent)
    for sample, digest in pictures:
        assert cache.has(digest, flips=True)
        assert cache.get(digest, False).shape == (2, 4, 8, 8)
        assert cache.get(digest, False).dtype == torch.float32
        assert_plain(cache, base, sample, digest, flipped=False)
        assert_plain(cache, base, sample, digest, flipped=True)
        assert not torch.allclose(cache.get(digest, False), cache.get(digest, True), atol=1e-3)


def test_a_second_fill_encodes_nothing_and_flips_only_add_what_is_missing(
    base: BaseModel, pictures: Pictures, tmp_path: Path, calls: list[str]
) -> None:
    progress: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        progress.append((done, total))

    LatentCache(tmp_path / "cache", base.vae, 64).fill(pictures, False, 0, CPU, note)
    assert len(calls) == 5
    assert progress == [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    again = LatentCache(tmp_path / "cache", base.vae, 64)
    again.fill(pictures, False, 0, CPU, note)
    assert len(calls) == 5
    assert len(progress) == 6
    assert not again.has(pictures[0][1], flips=True)
    again.fill(pictures, True, 0, CPU, silent)
    assert again.has(pictures[0][1], flips=True)


def test_a_renamed_picture_is_found_and_a_changed_one_is_encoded_anew(
    base: BaseModel, pictures: Pictures, tmp_path: Path, calls: list[str]
) -> None:
    LatentCache(tmp_path / "cache", base.vae, 64).fill(pictures, False, 0, CPU, silent)
    calls.clear()
    renamed = pictures[0][0].image.rename(tmp_path / "elsewhere.png")
    changed = pictures[1][0].image
    Image.new("RGB", (64, 64), "red").save(changed)
    samples = [Sample("new", renamed, ("x",)), pictures[1][0]]
    cache = LatentCache(tmp_path / "cache", base.vae, 64)
    current = [(sample, file_digest(sample.image)) for sample in samples]
    cache.fill(current, False, 0, CPU, silent)
    assert len(calls) == 1
    for sample, digest in current:
        assert_plain(cache, base, sample, digest, flipped=False)


def test_another_resolution_and_another_vae_have_a_cache_of_their_own(
    base: BaseModel, base_model_dir: Path, pictures: Pictures, tmp_path: Path
) -> None:
    folder, digest = tmp_path / "cache", pictures[0][1]
    LatentCache(folder, base.vae, 64).fill(pictures, False, 0, CPU, silent)
    other = AutoencoderKL.from_pretrained(base_model_dir / "vae")
    assert LatentCache(folder, other, 64).has(digest, flips=False)  # the same weights, loaded again
    assert not LatentCache(folder, base.vae, 32).has(digest, flips=False)
    with torch.no_grad():
        other.decoder.conv_out.bias[0] += 1
    assert not LatentCache(folder, other, 64).has(digest, flips=False)


class StopError(Exception):
    """What a progress function raises to end the work."""


def stop_at(wanted: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done == wanted:
            raise StopError

    return progress


@pytest.mark.parametrize("threads", [0, 2])
def test_an_interruption_keeps_what_was_computed(
    base: BaseModel, pictures: Pictures, tmp_path: Path, calls: list[str], threads: int
) -> None:
    with pytest.raises(StopError):
        LatentCache(tmp_path / "cache", base.vae, 64).fill(pictures, False, threads, CPU, stop_at(3))
    cache = LatentCache(tmp_path / "cache", base.vae, 64)
    assert [cache.has(digest, flips=False) for _, digest in pictures] == [True] * 3 + [False] * 2
    cache.fill(pictures, False, threads, CPU, silent)
    assert len(calls) == 5
    for sample, digest in pictures:
        assert_plain(cache, base, sample, digest, flipped=False)


def test_a_killed_worker_loses_at_most_what_was_not_yet_written(
    base: BaseModel, base_model_dir: Path, tmp_path: Path, calls: list[str]
) -> None:
    draw_dataset(tmp_path / "data", count=80, resolution=64)
    killed = subprocess.run(
        [sys.executable, "-c", FILL_UNTIL_KILLED, str(ROOT), str(base_model_dir), str(tmp_path), "75"], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    pictures = [(s, file_digest(s.image)) for s in read_dataset(tmp_path / "data").samples]
    cache = LatentCache(tmp_path / "cache", base.vae, 64)
    assert [cache.has(digest, flips=False) for _, digest in pictures] == [True] * 64 + [False] * 16
    assert cache.damaged == []
    cache.fill(pictures, False, 2, CPU, silent)
    assert len(calls) == 16
    for sample, digest in pictures[60:70]:
        assert_plain(cache, base, sample, digest, flipped=False)


ROOT = Path(__file__).resolve().parents[2]
FILL_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
root, model, folder, last = sys.argv[1:]
sys.path.insert(0, root)
import torch
from engine.dataset import read_dataset
from engine.latent_cache import LatentCache
from engine.model import load_base_model
from engine.picture_digests import file_digest

def progress(done, _total):
    if done == int(last):
        os.kill(os.getpid(), signal.SIGKILL)

pictures = [(sample, file_digest(sample.image)) for sample in read_dataset(Path(folder, "data")).samples]
cache = LatentCache(Path(folder, "cache"), load_base_model(model, torch.float32, "auto").vae, 64)
cache.fill(pictures, False, 2, torch.device("cpu"), progress)
"""


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("flips", [False, True])
def test_a_latent_is_bit_for_bit_the_same_whatever_stands_beside_it(
    base: BaseModel, pictures: Pictures, tmp_path: Path, batch: int, flips: bool
) -> None:
    whole = LatentCache(tmp_path / "whole", base.vae, 64)
    whole.fill(pictures, flips, 2, CPU, silent, batch)
    parts = LatentCache(tmp_path / "parts", base.vae, 64)
    for some in (pictures[2:3], pictures[::-1], pictures):
        parts.fill(some, flips, 0, CPU, silent, batch)
    for _, digest in pictures:
        for flipped in {False, flips}:
            assert torch.equal(whole.get(digest, flipped), parts.get(digest, flipped))


def test_pictures_are_encoded_in_batches_of_one_shape(base: BaseModel, pictures: Pictures, tmp_path: Path) -> None:
    shapes: list[int] = []
    progress: list[int] = []
    hook = base.vae.encoder.register_forward_pre_hook(lambda _, inputs: shapes.append(len(inputs[0])))
    LatentCache(tmp_path, base.vae, 64).fill(pictures, True, 2, CPU, lambda done, _: progress.append(done), batch=4)
    hook.remove()
    assert shapes == [4, 4, 4]
    assert progress == [0, 2, 4, 5]


@pytest.mark.parametrize("threads", [0, 2])
def test_pictures_that_cannot_be_read_are_named_and_the_others_encoded(
    base: BaseModel, pictures: Pictures, tmp_path: Path, threads: int
) -> None:
    pictures[1][0].image.write_bytes(pictures[1][0].image.read_bytes()[:200])
    pictures[3][0].image.write_text("no picture")
    current = [(sample, file_digest(sample.image)) for sample, _ in pictures]
    cache = LatentCache(tmp_path / "cache", base.vae, 64)
    unreadable = cache.fill(current, False, threads, CPU, silent, batch=2)
    assert unreadable == {current[1][1]: "truncated", current[3][1]: "not a PNG, JPEG, WEBP or BMP picture"}
    assert [cache.has(digest, flips=False) for _, digest in current] == [True, False, True, False, True]


def test_a_picture_that_changes_while_the_cache_is_filled_is_refused(
    base: BaseModel, pictures: Pictures, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), "red").save(pictures[2][0].image)
    with pytest.raises(DataError, match="changed while it was read"):
        LatentCache(tmp_path / "cache", base.vae, 64).fill(pictures, False, 2, CPU, silent)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_of_the_vae_that_are_not_finite_are_refused_and_not_kept(
    base_model_dir: Path, pictures: Pictures, tmp_path: Path, value: float
) -> None:
    vae = AutoencoderKL.from_pretrained(base_model_dir / "vae")
    with torch.no_grad():
        vae.quant_conv.bias[0] = value
    cache = LatentCache(tmp_path / "cache", vae, 64)
    with pytest.raises(ModelError, match="VAE returned numbers that are not finite") as raised:
        cache.fill(pictures, False, 0, CPU, silent)
    assert pictures[0][1][:12] in raised.value.why
    assert not cache.has(pictures[0][1], flips=False)


# ---- embeddings ---------------------------------------------------------------------------------------------------


def plain_embedding(base: BaseModel, text: str) -> torch.Tensor:
    tokens = base.tokenizer(text, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    with torch.no_grad():
        embedding: torch.Tensor = base.text_encoder(tokens).last_hidden_state[0]
    return embedding


TEXTS = ["", "red shoes", "a photo of blue sneakers " * 40]  # the last one has far more than 77 tokens


def test_embeddings_are_those_of_the_text_encoder(base: BaseModel, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, base.tokenizer, base.text_encoder)
    cache.fill(TEXTS, CPU, silent)
    for text in TEXTS:
        assert cache.get(text).shape == (77, 32)
        assert cache.get(text).dtype == torch.float32
        assert torch.allclose(cache.get(text), plain_embedding(base, text), atol=1e-6)
    assert not torch.allclose(cache.get(""), cache.get("red shoes"), atol=1e-2)
    with pytest.raises(KeyError):
        cache.get("green shoes")


def test_embeddings_are_keyed_by_tokens_and_computed_once(base: BaseModel, tmp_path: Path, calls: list[str]) -> None:
    EmbeddingCache(tmp_path, base.tokenizer, base.text_encoder).fill([*TEXTS, *TEXTS], CPU, silent)
    assert len(calls) == 3
    again = EmbeddingCache(tmp_path, base.tokenizer, base.text_encoder)
    again.fill([*TEXTS, "Red  Shoes"], CPU, silent)  # CLIP's tokenizer folds case and spaces
    assert len(calls) == 3
    assert torch.equal(again.get("RED SHOES"), again.get("red shoes"))


def test_an_interruption_keeps_the_embeddings_that_were_computed(
    base: BaseModel, tmp_path: Path, calls: list[str]
) -> None:
    with pytest.raises(StopError):
        EmbeddingCache(tmp_path, base.tokenizer, base.text_encoder).fill(TEXTS, CPU, stop_at(2))
    EmbeddingCache(tmp_path, base.tokenizer, base.text_encoder).fill(TEXTS, CPU, silent)
    assert len(calls) == 3


def test_numbers_of_the_text_encoder_that_are_not_finite_are_refused(base_model_dir: Path, tmp_path: Path) -> None:
    broken: Any = load_base_model(str(base_model_dir), torch.float32, "auto")
    with torch.no_grad():
        next(broken.text_encoder.parameters())[:] = float("nan")
    cache = EmbeddingCache(tmp_path, broken.tokenizer, broken.text_encoder)
    with pytest.raises(ModelError, match="text encoder returned numbers that are not finite"):
        cache.fill(["red shoes"], CPU, silent)
