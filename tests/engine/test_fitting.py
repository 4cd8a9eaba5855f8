"""What auto becomes: the fastest that fits, the same effective batch, the same choice every time, and the reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract.adjustments import Adjustments, apply
from engine.contract.config import TrainingConfig
from engine.estimate import GIB, SD15_PARTS, memory_parts
from engine.fitting import FILLED, fit, images_at_once, spare_bytes, vae_may_stay
from engine.machine import Room

# Recommended working sets of Macs with 8, 16, 32 and 96 GB, and GPUs with 8 and 80.
MACS = {gigabytes: Room(round(gigabytes * GIB * share), "device", is_metal=True)
        for gigabytes, share in ((8, 2 / 3), (16, 2 / 3), (32, 2 / 3), (96, 3 / 4))}  # fmt: skip
GPUS = {gigabytes: Room(gigabytes * GIB, "device") for gigabytes in (8, 80)}


def config(**changes: object) -> TrainingConfig:
    return TrainingConfig.model_validate({"train_batch_size": "auto", "gradient_accumulation_steps": 16, **changes})


def chosen(config: TrainingConfig, room: Room) -> tuple[int | None, int | None, str | None]:
    found = fit(config, room).adjustments
    return found.train_batch_size, found.gradient_accumulation_steps, found.gradient_checkpointing


def test_nothing_is_chosen_where_all_is_set() -> None:
    assert fit(config(train_batch_size=2, gradient_checkpointing="full"), MACS[8]).adjustments == Adjustments()


@pytest.mark.parametrize(
    ("room", "precision", "way"),
    [
        (MACS[8], "fp16", (1, 16, "attention")),
        (MACS[16], "no", (2, 8, "attention")),
        (MACS[16], "fp16", (1, 16, "none")),
        (MACS[32], "no", (2, 8, "none")),
        (MACS[96], "no", (8, 2, "none")),
        (GPUS[8], "no", (1, 16, "none")),
        (GPUS[8], "fp16", (2, 8, "none")),
        (GPUS[80], "fp16", (16, 1, "none")),
    ],
)
def test_sd15_at_512_px_on_usual_machines(room: Room, precision: str, way: tuple[int, int, str]) -> None:
    asked = config(mixed_precision=precision)
    assert chosen(asked, room) == way
    assert not fit(asked, room).is_tight
    assert spare_bytes(apply(asked, fit(asked, room).adjustments), room) >= 0


@settings(deadline=None, max_examples=15)
@given(
    st.integers(1, 64), st.sampled_from([1, 2, 3]), st.sampled_from([1.0, 4, 6, 9, 14, 40]), st.booleans(),
    st.booleans(), st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_the_effective_batch_stays_and_no_larger_micro_batch_would_have_fitted(
    effective: int, processes: int, gigabytes: float, is_metal: bool, is_mode_open: bool, dropout: float
) -> None:
    room = Room(round(gigabytes * GIB), "device", is_metal)
    changes = {
        "gradient_accumulation_steps": effective * processes, "num_processes": processes, "lora_dropout": dropout,
        "gradient_checkpointing": "auto" if is_mode_open else "none",
    }  # fmt: skip
    asked = config(**changes)
    found = fit(asked, room)
    taken = apply(asked, found.adjustments)
    assert taken.effective_batch_size == asked.effective_batch_size
    assert taken.gradient_accumulation_steps % processes == 0
    assert (room.largest_batch(512) or 256) >= taken.micro_batch_size
    if dropout and is_metal:
        assert taken.checkpointing_mode == "none"
    need = memory_parts(taken, room).total
    assert found.is_tight == (need > FILLED * room.size)
    if not found.is_tight:
        for samples in range(taken.micro_batch_size + 1, asked.effective_batch_size + 1):  # all larger ones are wrong
            accumulation, left = divmod(asked.effective_batch_size, samples)
            larger = taken.model_copy(update={"train_batch_size": samples})
            is_right = not left and accumulation % processes == 0 and (room.largest_batch(512) or 256) >= samples
            assert not is_right or memory_parts(larger, room).total > FILLED * room.size


def test_a_given_batch_size_stays_and_only_the_mode_is_chosen() -> None:
    given_two = config(train_batch_size=2, gradient_accumulation_steps=8)
    assert chosen(given_two, MACS[16]) == (2, 8, "attention")
    assert chosen(given_two, MACS[32]) == (2, 8, "none")
    assert chosen(config(gradient_checkpointing="full"), MACS[16])[2] == "full"


def test_apples_gpu_gets_no_more_rows_than_it_computes_rightly() -> None:
    assert chosen(config(gradient_accumulation_steps=64, mixed_precision="fp16"), MACS[96])[0] == 8
    assert chosen(config(gradient_accumulation_steps=64, mixed_precision="fp16"), GPUS[80])[0] == 32
    assert chosen(config(resolution=2048), MACS[96])[0] == 1  # even one is too many, which preparation tells


def test_dropout_that_cannot_be_repeated_is_not_computed_twice() -> None:
    with_dropout = config(lora_dropout=0.1, train_batch_size=2, gradient_accumulation_steps=8)
    found = fit(with_dropout, MACS[16])
    assert found.adjustments.gradient_checkpointing == "none" and found.is_tight
    assert chosen(with_dropout, GPUS[8])[2] != "none"


def test_the_reason_tells_what_is_needed_what_there_is_and_what_would_be_faster() -> None:
    why = fit(config(train_batch_size=2, gradient_accumulation_steps=8), MACS[16]).adjustments.why
    assert why == (
        "auto: about 8.3 GiB of the device's 10.7 GiB; faster would be gradient_checkpointing none, with 14.8 GiB"
    )
    assert fit(config(), GPUS[80]).adjustments.why == "auto: about 29.3 GiB of the device's 80.0 GiB"


def test_where_nothing_fits_the_least_is_taken_and_said() -> None:
    found = fit(config(), Room(3 * GIB, "machine"))
    assert found.is_tight
    assert found.adjustments.gradient_checkpointing == "full"
    assert found.adjustments.train_batch_size == 1
    assert "nothing fits well into the machine's 3.0 GiB; this needs least, about" in found.adjustments.why


def test_the_vae_stays_on_the_device_only_where_a_step_leaves_it_room() -> None:
    two = config(train_batch_size=2, gradient_accumulation_steps=8, gradient_checkpointing="attention")
    need, vae = memory_parts(two, MACS[16]).total, SD15_PARTS["vae"]
    just_enough = Room(round((need + vae) / FILLED) + 1, "device", is_metal=True)
    too_little = Room(round((need + vae) / FILLED) - 2, "device", is_metal=True)
    assert spare_bytes(two, just_enough) == pytest.approx(vae, abs=2)
    assert vae_may_stay(two, just_enough)
    assert not vae_may_stay(two, too_little)
    assert spare_bytes(two, Room(GIB, "device")) < 0


@pytest.mark.parametrize(
    ("room", "changes", "together"),
    [
        (MACS[8], {}, (1, 1)),
        (MACS[16], {}, (2, 6)),
        (MACS[16], {"mixed_precision": "fp16"}, (3, 8)),
        (MACS[16], {"mixed_precision": "fp16", "validation_guidance_scale": 1.0}, (6, 8)),
        (MACS[96], {}, (4, 80)),  # no more rows than Metal computes rightly
        (MACS[96], {"validation_guidance_scale": 1.0}, (8, 80)),
        (GPUS[8], {}, (9, 3)),
        (GPUS[80], {}, (16, 89)),
        (Room(32 * GIB, "machine"), {}, (1, 23)),  # where a picture keeps every core busy
        (Room(32 * GIB, "machine"), {"resolution": 256}, (4, 92)),
    ],
)
def test_pictures_are_drawn_together_as_memory_allows(
    room: Room, changes: dict[str, object], together: tuple[int, int]
) -> None:
    assert images_at_once(config(**changes), room) == together
