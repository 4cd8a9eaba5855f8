"""Validation: the same measure every time, the pictures that any diffusers pipeline makes, and no trace in training."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image

from engine import device as devices
from engine.lora import adapter_state, load_adapter_state
from engine.preparation import Prepared
from engine.trainer import Trainer
from engine.validation import GeneratedImage, ImageGenerator, ImageSettings, save_labelled, validation_loss

Prepare = Callable[..., Prepared]
Wanted = list[tuple[str, int]]

NEGATIVE = "blurry"
SETTINGS = ImageSettings(64, inference_steps=4, guidance_scale=7.5, negative_prompt=NEGATIVE, batch_size=4)
WANTED: Wanted = [("a photo of red shoes", 1000), ("blue sneakers on white background", 1001), ("green boots", 7)]


@pytest.fixture(scope="module")
def trained(prepare_tiny: Prepare) -> Prepared:
    """A tiny run whose adapter is at random, far from zero; its prompts are cached."""
    prompts = [prompt for prompt, _ in WANTED]
    prepared = prepare_tiny(validation_prompts=prompts, validation_negative_prompt=NEGATIVE)
    generator = torch.Generator().manual_seed(3)
    state = adapter_state(prepared.base.unet)
    load_adapter_state(
        prepared.base.unet, {name: torch.randn(old.shape, generator=generator) * 0.2 for name, old in state.items()}
    )
    return prepared


def nothing(*_: int) -> None:
    """A boundary at which nothing is asked for."""


def generator(prepared: Prepared, settings: ImageSettings = SETTINGS, **changes: Any) -> ImageGenerator:
    base, embeddings = prepared.base, prepared.data.embeddings
    return replace(ImageGenerator(base.unet, base, base.vae, embeddings, settings, devices.CPU), **changes)


def images(prepared: Prepared, wanted: Wanted = WANTED, settings: ImageSettings = SETTINGS) -> list[GeneratedImage]:
    return list(generator(prepared, settings).generate(wanted, nothing))


def pixels(image: Image.Image) -> Any:
    return np.asarray(image).astype(int)


# ---- loss ---------------------------------------------------------------------------------------------------------


def measured(prepared: Prepared, batch_size: int = 4) -> tuple[float, tuple[float, float, float, float]]:
    return validation_loss(
        prepared.base.unet, prepared.base, prepared.data, torch.device("cpu"), batch_size, lambda: None
    )


def test_the_measure_is_the_same_every_time(trained: Prepared) -> None:
    first = measured(trained)
    torch.manual_seed(99)
    assert measured(trained) == first


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_the_measure_does_not_depend_on_the_batch_size(trained: Prepared, batch_size: int) -> None:
    loss, bands = measured(trained, batch_size)
    expected, expected_bands = measured(trained, 4)
    assert loss == pytest.approx(expected, rel=1e-6)
    assert bands == pytest.approx(expected_bands, rel=1e-6)


def test_the_bands_average_to_the_whole_and_hold_what_the_formula_says(trained: Prepared) -> None:
    loss, bands = measured(trained)
    assert len(bands) == 4
    assert loss == pytest.approx(sum(bands) / 4, rel=1e-9)
    data, unet = trained.data, trained.base.unet
    alpha_bar = (1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2).cumprod(0)
    for band, measured_loss in enumerate(bands):
        batch = data.validation_batch(band, range(8), torch.device("cpu"))
        signal = alpha_bar[batch.timesteps].sqrt().float()[:, None, None, None]
        spread = (1 - alpha_bar[batch.timesteps]).sqrt().float()[:, None, None, None]
        with torch.no_grad():
            noisy = signal * batch.latents + spread * batch.noise
            predicted = unet(noisy, batch.timesteps, batch.embeddings).sample
        assert measured_loss == pytest.approx((predicted - batch.noise).square().mean().item(), rel=1e-5)


def test_the_measure_is_not_weighed_by_min_snr(trained: Prepared) -> None:
    """So that runs with other weights can be compared."""
    weighed = replace(trained, config=trained.config.model_copy(update={"snr_gamma": 1.0}))
    assert measured(weighed) == measured(trained)


def test_v_prediction_is_measured_against_the_velocity(prepare_tiny: Prepare) -> None:
    prepared = prepare_tiny(prediction_type="v_prediction")
    data, unet = prepared.data, prepared.base.unet
    batch = data.validation_batch(2, range(8), torch.device("cpu"))
    scheduler = prepared.base.noise_scheduler
    with torch.no_grad():
        predicted = unet(
            scheduler.add_noise(batch.latents, batch.noise, batch.timesteps), batch.timesteps, batch.embeddings
        ).sample
    velocity = scheduler.get_velocity(batch.latents, batch.noise, batch.timesteps)
    assert measured(prepared)[1][2] == pytest.approx((predicted - velocity).square().mean().item(), rel=1e-5)


def test_there_is_a_boundary_before_each_batch_and_an_exception_at_it_passes(trained: Prepared) -> None:
    called = []
    base, data, device = trained.base, trained.data, torch.device("cpu")
    validation_loss(base.unet, base, data, device, 3, lambda: called.append(1))
    assert len(called) == 4 * 3  # bands times batches of 3, 3 and 2
    boundaries = iter([None, None])
    with pytest.raises(StopIteration):
        validation_loss(base.unet, base, data, device, 3, lambda: next(boundaries))


# ---- images -------------------------------------------------------------------------------------------------------


def plain_pictures(prepared: Prepared, settings: ImageSettings = SETTINGS) -> list[Any]:
    """What StableDiffusionPipeline makes of the same prompts and seeds by itself, encoders and VAE included."""
    base = prepared.base
    pipeline = StableDiffusionPipeline(
        vae=base.vae, text_encoder=base.text_encoder, tokenizer=base.tokenizer, unet=base.unet, safety_checker=None,
        scheduler=DPMSolverMultistepScheduler.from_config(base.scheduler.config), feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(
        prompt=[prompt for prompt, _ in WANTED],
        negative_prompt=[settings.negative_prompt] * len(WANTED),
        generator=[torch.Generator().manual_seed(seed) for _, seed in WANTED],
        height=64, width=64, num_inference_steps=settings.inference_steps, guidance_scale=settings.guidance_scale,
    )  # fmt: skip
    return [pixels(image) for image in made.images]


@pytest.mark.parametrize("guidance", [7.5, 1.0])
def test_images_are_those_of_a_plain_pipeline(trained: Prepared, guidance: float) -> None:
    settings = replace(SETTINGS, guidance_scale=guidance)
    made = images(trained, settings=settings)
    assert [(image.index, image.prompt, image.seed) for image in made] == [(i, *w) for i, w in enumerate(WANTED)]
    assert all(image.fault == "" and image.image.size == (64, 64) for image in made)
    for image, plain in zip(made, plain_pictures(trained, settings), strict=True):
        assert np.abs(pixels(image.image) - plain).max() <= 1
        assert plain.std() > 10


def test_an_image_does_not_depend_on_those_beside_it(trained: Prepared) -> None:
    together = images(trained)
    for batch_size in (1, 2):
        for one, other in zip(
            together, images(trained, settings=replace(SETTINGS, batch_size=batch_size)), strict=True
        ):
            assert np.abs(pixels(one.image) - pixels(other.image)).max() <= 1
    alone = images(trained, [WANTED[2]])[0]
    assert np.abs(pixels(alone.image) - pixels(together[2].image)).max() <= 1


def test_prompt_seed_adapter_and_negative_prompt_change_the_image(trained: Prepared, prepare_tiny: Prepare) -> None:
    def first(prepared: Prepared = trained, wanted: tuple[str, int] = WANTED[0], negative: str = NEGATIVE) -> Any:
        return pixels(images(prepared, [wanted], replace(SETTINGS, negative_prompt=negative))[0].image)

    base = prepare_tiny(validation_prompts=[WANTED[0][0]], validation_negative_prompt=NEGATIVE)
    prompt, seed = WANTED[0]
    others = [first(wanted=("green boots", seed)), first(wanted=(prompt, 1)), first(base), first(negative="")]
    assert all(np.abs(first() - other).max() > 3 for other in others)


def test_there_is_a_boundary_after_each_denoising_step(trained: Prepared) -> None:
    told: list[tuple[int, int]] = []
    settings = replace(SETTINGS, batch_size=2)
    making = generator(trained, settings).generate(WANTED, lambda *done: told.append(done))
    next(making)
    assert told == [(1, 8), (2, 8), (3, 8), (4, 8)]
    assert len(list(making)) == 2
    assert told[4:] == [(5, 8), (6, 8), (7, 8), (8, 8)]


def test_nothing_wanted_is_nothing_made(trained: Prepared) -> None:
    assert images(trained, []) == []


@pytest.mark.parametrize(("batch_size", "batches"), [(16, [16]), (6, [6, 6, 4]), (5, [4, 4, 4, 4]), (1, [1] * 16)])
def test_batches_are_few_and_alike(trained: Prepared, batch_size: int, batches: list[int]) -> None:
    seen: list[int] = []
    settings = replace(SETTINGS, batch_size=batch_size, inference_steps=1, guidance_scale=1.0)
    hook = trained.base.unet.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    try:
        images(trained, [(WANTED[0][0], seed) for seed in range(16)], settings)
    finally:
        hook.remove()
    assert sorted(seen, reverse=True) == batches


def test_a_batch_that_is_decoded_at_once_gives_the_same(trained: Prepared) -> None:
    together = images(trained, settings=replace(SETTINGS, decoding_batch_size=3))
    for one, other in zip(images(trained), together, strict=True):
        assert np.abs(pixels(one.image) - pixels(other.image)).max() <= 1


def test_no_text_is_encoded_again(trained: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(*_: object) -> None:
        pytest.fail("the text encoder was asked, though the cache has every prompt and the negative one")

    monkeypatch.setattr(trained.base.text_encoder, "forward", encode)
    assert len(images(trained)) == 3


class Memory:
    """A device that has room for so many samples in one forward pass, and remembers where modules were brought."""

    def __init__(self, unet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 1000
        self.tried: list[int] = []
        self.moves: list[str] = []
        self._forward = unet.forward
        monkeypatch.setattr(unet, "forward", self.forward)
        monkeypatch.setattr(devices, "move", lambda _, device: self.moves.append(device.name))
        monkeypatch.setattr(devices, "empty_cache", lambda device: self.moves.append(f"empty {device.name}"))

    def forward(self, samples: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        self.tried.append(len(samples))
        if len(samples) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return self._forward(samples, *args, **kwargs)


def test_memory_that_runs_out_halves_the_batches_from_then_on(
    trained: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, memory = images(trained), Memory(trained.base.unet, monkeypatch)
    drawing, memory.room = generator(trained), 2
    made = list(drawing.generate(WANTED, nothing))
    assert [(one.index, one.seed) for one in made] == [(one.index, one.seed) for one in expected]
    assert all(np.abs(pixels(a.image) - pixels(b.image)).max() <= 1 for a, b in zip(made, expected, strict=True))
    assert memory.tried == [6, 4] + [2] * 12
    list(drawing.generate(WANTED, nothing))
    assert memory.tried[14:] == [2] * 12
    memory.room = 1
    with pytest.raises(torch.OutOfMemoryError):
        list(drawing.generate(WANTED, nothing))


def test_the_decoder_goes_to_the_device_once_a_round_and_leaves_it_only_where_it_may_not_stay(
    trained: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(trained.base.unet, monkeypatch)
    elsewhere, settings = devices.Device("cuda", ""), replace(SETTINGS, batch_size=1)
    monkeypatch.setattr(devices.Device, "torch", property(lambda _: torch.device("cpu")))
    list(generator(trained, settings, device=elsewhere).generate(WANTED[:1], nothing))
    assert memory.moves == ["cuda", "empty cuda"]
    list(generator(trained, settings, device=elsewhere, decoder_stays=False).generate(WANTED[:1], nothing))
    assert memory.moves[2:] == ["cuda", "cpu", "empty cuda"]


# ---- faults -------------------------------------------------------------------------------------------------------


@pytest.fixture
def spoilt(trained: Prepared) -> Iterator[Callable[[float], None]]:
    """Lets the VAE add something to all that it decodes."""
    bias = trained.base.vae.decoder.conv_out.bias
    before = bias.detach().clone()

    def spoil(value: float) -> None:
        with torch.no_grad():
            bias.add_(value)

    yield spoil
    with torch.no_grad():
        bias.copy_(before)


@pytest.mark.parametrize(
    ("value", "fault", "brightest"),
    [(-50.0, "is black", 0), (float("nan"), "holds numbers that are not finite", 0), (0.0, "", 255)],
)
def test_an_image_that_cannot_be_right_says_why(
    trained: Prepared, spoilt: Callable[[float], None], value: float, fault: str, brightest: int
) -> None:
    spoilt(value)
    made = images(trained, WANTED[:1])[0]
    assert made.fault == fault
    assert pixels(made.image).max() <= brightest


def test_a_diverged_adapter_is_told_as_numbers_that_are_not_finite(prepare_tiny: Prepare) -> None:
    prepared = prepare_tiny()
    with torch.no_grad():
        prepared.parameters[-1].fill_(float("inf"))
    faults = {
        image.fault for image in images(prepared, [("a photo of red shoes", 1)], replace(SETTINGS, negative_prompt=""))
    }
    assert faults == {"holds numbers that are not finite"}


# ---- files --------------------------------------------------------------------------------------------------------


def test_a_png_carries_what_made_it(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8), "red")
    path = tmp_path / "deep" / "image.png"
    made = GeneratedImage(3, "rote Schuhe, größer – 赤い靴", 1003, picture, "")
    save_labelled(made, path, step=20, run="shoes")
    with Image.open(path) as read:
        read.load()
        assert read.text == {"prompt": made.prompt, "seed": "1003", "step": "20", "run": "shoes"}
        assert pixels(read).tolist() == pixels(picture).tolist()
    assert list(path.parent.iterdir()) == [path]
    save_labelled(replace(made, seed=4), path)
    with Image.open(path) as read:
        read.load()
        assert read.text["seed"] == "4"


# ---- training goes on as if nothing had been ----------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"gradient_checkpointing": "full"}, {"lora_dropout": 0.3}])
def test_training_is_not_disturbed(prepare_tiny: Prepare, settings: dict[str, Any]) -> None:
    states = []
    for validates in (False, True):
        prepared = prepare_tiny(**settings)
        trainer = Trainer(prepared)
        trainer.step(lambda: 0.0)
        if validates:
            validation_loss(trainer.unet, prepared.base, prepared.data, trainer.device, 4, lambda: None)
            images(prepared, [("a photo of red shoes", 1)], replace(SETTINGS, negative_prompt=""))
        trainer.step(lambda: 0.0)
        states.append(adapter_state(trainer.bare_unet))
    without, with_validation = states
    assert all(torch.equal(tensor, with_validation[name]) for name, tensor in without.items())


def test_the_global_generator_is_left_alone(trained: Prepared) -> None:
    before = torch.random.get_rng_state()
    measured(trained)
    images(trained)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_gradients_are_kept(trained: Prepared) -> None:
    measured(trained)
    images(trained)
    assert all(parameter.grad is None for parameter in trained.parameters)


@pytest.fixture
def other_precision() -> Iterator[None]:
    """accelerate keeps the precision of a process in a class; it is forgotten before and after."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("other_precision")
def test_a_half_precision_base_is_measured_and_drawn_much_as_in_fp32(
    prepare_tiny: Prepare, base_model_dir: Path
) -> None:
    prepared = prepare_tiny(mixed_precision="bf16")
    trainer = Trainer(prepared)  # it puts autocast around the UNet
    device = torch.device("cpu")
    loss, _ = validation_loss(trainer.unet, prepared.base, prepared.data, device, 4, lambda: None)
    plain = replace(prepared.base, unet=UNet2DConditionModel.from_pretrained(base_model_dir / "unet"))
    exact, _ = validation_loss(plain.unet, plain, prepared.data, device, 4, lambda: None)
    assert loss == pytest.approx(exact, rel=0.01)
    wanted, settings = [("a photo of red shoes", 1)], replace(SETTINGS, negative_prompt="", guidance_scale=2.0)
    half, whole = images(prepared, wanted, settings)[0], images(replace(prepared, base=plain), wanted, settings)[0]
    assert half.fault == whole.fault == ""
    assert np.abs(pixels(half.image) - pixels(whole.image)).mean() < 4
    assert prepared.base.vae.dtype == torch.float32
