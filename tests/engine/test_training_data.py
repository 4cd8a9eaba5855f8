"""From sample numbers to batches, and the held-out batches that never change."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from engine.preparation import Prepared
from engine.training_data import BANDS, Batch, TrainingData

CPU = torch.device("cpu")
Prepare = Callable[..., Prepared]


@pytest.fixture(scope="module")
def data(prepare_tiny: Prepare) -> TrainingData:
    return prepare_tiny(random_flip=True, caption_dropout=0.3).data


def assert_equal(one: Batch, other: Batch) -> None:
    for name, tensor in vars(one).items():
        assert torch.equal(tensor, getattr(other, name)), name


def test_a_batch_is_made_of_its_samples_each_by_itself(data: TrainingData) -> None:
    numbers = [14, 15, 16, 17]  # across the end of an epoch
    batch = data.batch(numbers, CPU)
    assert batch.latents.shape == batch.noise.shape == (4, 4, 8, 8)
    assert batch.embeddings.shape == (4, 77, 32)
    assert batch.timesteps.dtype == torch.int64
    assert {batch.latents.dtype, batch.noise.dtype, batch.embeddings.dtype} == {torch.float32}
    for row, number in enumerate(numbers):
        draw = data.stream.draw(number)
        sample, digest = data.training[draw.index]
        mean, deviation = data.latents.get(digest, draw.flipped)
        expected = (mean + deviation * draw.latent_noise) * data.scaling_factor
        assert torch.equal(batch.latents[row], expected)
        assert torch.equal(batch.noise[row], draw.noise)
        assert batch.timesteps[row] == draw.timestep
        caption = "" if draw.caption_dropped else sample.captions[0]
        assert torch.equal(batch.embeddings[row], data.embeddings.get(caption))


def test_a_sample_is_the_same_in_every_batch(data: TrainingData) -> None:
    alone, among = data.batch([7], CPU), data.batch([3, 7, 90], CPU)
    for name, tensor in vars(alone).items():
        assert torch.equal(tensor[0], getattr(among, name)[1]), name


def test_latents_have_about_unit_variance(data: TrainingData) -> None:
    assert data.batch(range(16), CPU).latents.std().item() == pytest.approx(1, abs=0.5)


def test_every_caption_of_a_sample_gets_its_turn(data: TrainingData) -> None:
    captions = tuple(dict.fromkeys(sample.captions[0] for sample, _ in data.training))[:3]
    several = [(replace(sample, captions=captions), digest) for sample, digest in data.training]
    shuffled = replace(data, training=several, stream=replace(data.stream, caption_dropout=0.0))
    embeddings = [data.embeddings.get(caption) for caption in captions]
    chosen = [
        next(i for i, wanted in enumerate(embeddings) if torch.equal(wanted, got))
        for got in shuffled.batch(range(64), CPU).embeddings
    ]
    assert set(chosen) == {0, 1, 2}


def test_samples_are_named_by_their_ids(data: TrainingData) -> None:
    names = data.sample_names(range(16))
    assert sorted(names) == sorted(sample.id for sample, _ in data.training)
    assert names[3] == data.training[data.stream.draw(3).index][0].id


def test_training_and_held_out_samples_are_apart(data: TrainingData) -> None:
    assert len(data.training) == 16
    assert len(data.validation) == 8
    assert not {digest for _, digest in data.training} & {digest for _, digest in data.validation}


def test_the_digest_tells_order_pictures_and_captions_apart(data: TrainingData) -> None:
    first, second, *rest = data.training
    renamed = replace(first[0], id="renamed")
    recaptioned = replace(first[0], captions=("other",))
    changes = [[second, first, *rest], [(recaptioned, first[1]), second, *rest], [(first[0], "0"), second, *rest], rest]
    digests = [replace(data, training=training).digest() for training in changes]
    assert len({data.digest(), *digests}) == 5
    assert replace(data, training=[(renamed, first[1]), second, *rest]).digest() == data.digest()
    assert replace(data, validation=[]).digest() == data.digest()


# ---- held-out batches ---------------------------------------------------------------------------------------------


def test_held_out_batches_are_the_same_at_every_measurement(data: TrainingData) -> None:
    before = data.validation_batch(2, range(8), CPU)
    torch.manual_seed(5)
    data.batch(range(8), CPU)
    assert_equal(data.validation_batch(2, range(8), CPU), before)
    part = data.validation_batch(2, [3, 4], CPU)
    for name, tensor in vars(part).items():
        assert torch.equal(tensor, getattr(before, name)[3:5]), name


@pytest.mark.parametrize("band", range(BANDS))
def test_the_timesteps_of_a_band_spread_over_its_quarter(data: TrainingData, band: int) -> None:
    timesteps = data.validation_batch(band, range(8), CPU).timesteps.tolist()
    assert timesteps == sorted(set(timesteps))
    assert all(250 * band <= step < 250 * (band + 1) for step in timesteps)
    gaps = [after - before for before, after in pairwise(timesteps)]
    assert max(gaps) - min(gaps) <= 1
    assert sum(timesteps) / 8 == pytest.approx(250 * band + 125, abs=1)


def test_held_out_latents_are_the_mean_unflipped_and_captions_are_kept(data: TrainingData) -> None:
    batch = data.validation_batch(0, range(8), CPU)
    for row, (sample, digest) in enumerate(data.validation):
        assert torch.equal(batch.latents[row], data.latents.get(digest, False)[0] * data.scaling_factor)
        assert torch.equal(batch.embeddings[row], data.embeddings.get(sample.captions[0]))


def test_noise_differs_between_bands_and_samples_and_from_the_training_noise(data: TrainingData) -> None:
    noises = [noise for band in range(BANDS) for noise in data.validation_batch(band, range(8), CPU).noise]
    noises += list(data.batch(range(8), CPU).noise)
    rows = {tuple(noise.flatten()[:8].tolist()) for noise in noises}
    assert len(rows) == 8 * BANDS + 8
