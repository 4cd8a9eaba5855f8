"""An estimate in words: what auto would become stands there with its reason, and nothing where it was not asked for."""

from dataclasses import replace

from engine.contract.adjustments import Adjustments
from engine.control import Estimate
from engine.control.estimating import Duration, Memory
from engine.control.obstacles import Samples
from engine.estimate import DiskParts, MemoryParts
from tui.estimate_words import in_full, in_short

GIB = 2**30
ESTIMATE = Estimate(
    effective_batch=16,
    samples=Samples(1891, 100, 0),
    epochs=25.4,
    memory=Memory(MemoryParts(3 * GIB, 4 * GIB, GIB // 32, GIB), 16 * GIB, "device", 20 * GIB),
    duration=Duration(4.6, 13800, 1500, "measured by the preflight of 2026-05-28 12:00", is_measured=True),
    disk=DiskParts(702_000_000, 115_577_856, 44_040_192, 19_262_976, 4_262_755_041),
    disk_free=310 * GIB,
    adapter_parameters=1_594_368,
    adapter_bytes=6_420_992,
    obstacles=(),
)
WHY = "auto: about 8.0 GiB of the device's 16.0 GiB; faster would be gradient_checkpointing none, with 15.1 GiB"
CHOSEN = Adjustments(train_batch_size=4, gradient_accumulation_steps=4, gradient_checkpointing="attention", why=WHY)


def test_what_auto_would_become_is_told_with_the_reason() -> None:
    chosen = replace(ESTIMATE, chosen=CHOSEN)
    lines = [" ".join(line.split()) for line in in_full(chosen).plain.splitlines()]
    assert "micro-batch 4 x 4" in lines and "recomputed attention" in lines and WHY in lines
    assert in_short(chosen).plain.splitlines()[0].startswith("16 samples per step (4 x 4, attention),")


def test_memory_has_one_line_beside_the_form_also_on_the_largest_machines() -> None:
    memory = replace(ESTIMATE.memory, parts=MemoryParts(300 * GIB, 4 * GIB, GIB, GIB), limit=512 * GIB)
    line = next(line for line in in_full(replace(ESTIMATE, memory=memory)).plain.splitlines() if "Memory" in line)
    assert line.split() == ["Memory", "306.0", "GiB", "of", "512.0", "GiB", "(device)"]
    assert len(line) <= 45


def test_which_measurement_told_the_limit_is_told_in_one_line_beside_the_form() -> None:
    memory = replace(ESTIMATE.memory, limit_by="the preflight of 2026-05-28 12:00")
    line = "  limit by the preflight of 2026-05-28 12:00"
    assert line in in_full(replace(ESTIMATE, memory=memory)).plain.splitlines() and len(line) <= 45
    assert "limit by" not in in_full(ESTIMATE).plain


def test_nothing_is_told_of_a_choice_where_all_was_set() -> None:
    for text in (in_full(ESTIMATE).plain, in_short(ESTIMATE).plain):
        assert "auto" not in text and "recomput" not in text
