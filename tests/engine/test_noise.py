"""Draws: what the n-th sample is depends on (seed, n) alone."""

from dataclasses import replace

import pytest
import torch

from engine.noise import SampleDraws, SampleStream, keyed_generator

STREAM = SampleStream(
    seed=42, size=16, latent_shape=(4, 8, 8), timesteps=1000, random_flip=True, caption_dropout=0.1, noise_offset=0.0
)


def assert_same(one: SampleDraws, other: SampleDraws, *, but: str = "") -> None:
    """Every field equal, bit for bit, except the one that is named."""
    for name, value in vars(one).items():
        if name == but:
            continue
        same = torch.equal(value, getattr(other, name)) if torch.is_tensor(value) else value == getattr(other, name)
        assert same, name


def test_the_order_of_draws_and_the_global_generator_change_nothing() -> None:
    numbers = [0, 5, 15, 16, 40, 1000]
    torch.manual_seed(1)
    forward = {n: STREAM.draw(n) for n in numbers}
    torch.manual_seed(2)
    torch.randn(7)
    fresh = replace(STREAM)
    for n in reversed(numbers):
        assert_same(fresh.draw(n), forward[n])


def test_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    for n in range(40):
        STREAM.draw(n)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_draws_of_seed_42_stay_what_they_are() -> None:
    """Were they to change, a run begun with an older version could no longer be resumed exactly."""
    draw = STREAM.draw(0)
    assert (draw.index, draw.flipped, draw.timestep) == (11, False, 64)
    assert draw.caption == pytest.approx(0.7521553, abs=1e-7)
    assert draw.latent_noise[0, 0, :3].tolist() == pytest.approx([1.2584646, 0.4147032, 2.4421663], abs=1e-6)
    assert draw.noise[0, 0, :3].tolist() == pytest.approx([-1.1057631, 0.6099781, -1.5671141], abs=1e-6)
    assert [STREAM.draw(n).index for n in range(16)] == [11, 3, 8, 13, 12, 0, 6, 4, 14, 7, 2, 10, 5, 9, 1, 15]


def test_another_seed_and_another_number_give_other_draws() -> None:
    first = STREAM.draw(3)
    for other in (replace(STREAM, seed=43).draw(3), STREAM.draw(4)):
        assert not torch.equal(first.noise, other.noise)
        assert not torch.equal(first.latent_noise, other.latent_noise)
    assert not torch.equal(first.noise, first.latent_noise)


def test_each_epoch_visits_each_sample_once_in_an_order_of_its_own() -> None:
    epochs = [[STREAM.draw(n).index for n in range(16 * e, 16 * (e + 1))] for e in range(4)]
    assert all(sorted(epoch) == list(range(16)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert [STREAM.epoch(n) for n in (0, 15, 16, 31, 32)] == [0, 0, 1, 1, 2]


def test_half_of_the_samples_are_flipped_and_the_share_asked_for_loses_its_caption() -> None:
    draws = [replace(STREAM, latent_shape=(1, 1, 1)).draw(n) for n in range(3000)]
    # Bounds of five standard deviations of a binomial share.
    assert sum(d.flipped for d in draws) / 3000 == pytest.approx(0.5, abs=5 * (0.25 / 3000) ** 0.5)
    assert sum(d.caption_dropped for d in draws) / 3000 == pytest.approx(0.1, abs=5 * (0.09 / 3000) ** 0.5)
    assert sum(d.caption for d in draws) / 3000 == pytest.approx(0.5, abs=5 * (1 / 12 / 3000) ** 0.5)
    assert sum(d.timestep for d in draws) / 3000 == pytest.approx(499.5, abs=5 * (1e6 / 12 / 3000) ** 0.5)
    assert min(d.timestep for d in draws) >= 0
    assert max(d.timestep for d in draws) <= 999


@pytest.mark.parametrize(("share", "dropped"), [(0.0, 0), (1.0, 50)])
def test_a_dropout_of_none_or_all_is_exact(share: float, dropped: int) -> None:
    stream = replace(STREAM, caption_dropout=share)
    assert sum(stream.draw(n).caption_dropped for n in range(50)) == dropped


def test_without_random_flip_nothing_is_flipped() -> None:
    assert not any(replace(STREAM, random_flip=False).draw(n).flipped for n in range(50))


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ({"random_flip": False}, "flipped"),
        ({"caption_dropout": 0.9}, "caption_dropped"),
        ({"noise_offset": 0.1}, "noise"),
    ],
)
def test_no_setting_shifts_the_draws_of_another(setting: dict[str, float], field: str) -> None:
    changed = replace(STREAM, **setting)  # type: ignore[arg-type]
    for n in range(30):
        assert_same(STREAM.draw(n), changed.draw(n), but=field)


def test_the_noise_offset_adds_one_constant_per_channel() -> None:
    offsets = []
    for n in range(200):
        added = replace(STREAM, noise_offset=0.1).draw(n).noise - STREAM.draw(n).noise
        assert torch.allclose(added, added[:, :1, :1].expand_as(added), atol=1e-6)
        offsets.append(added[:, 0, 0])
    constants = torch.stack(offsets)
    assert len(set(constants.flatten().tolist())) > 700  # each channel of each sample has its own
    assert constants.std().item() == pytest.approx(0.1, rel=0.15)


def test_streams_of_other_names_seeds_and_numbers_are_other_streams() -> None:
    keys = [("sample", 1, 0), ("epoch", 1, 0), ("sample", 0, 1), ("sample", 10, 0), ("sample", 1, 10)]
    drawn = [torch.randn(4, generator=keyed_generator(seed, name, number)) for name, seed, number in keys]
    pairs = [(a, b) for a in range(len(keys)) for b in range(a)]
    assert not any(torch.equal(drawn[a], drawn[b]) for a, b in pairs)


def test_the_largest_seed_is_accepted() -> None:
    assert replace(STREAM, seed=2**63 - 1).draw(0).noise.isfinite().all()
