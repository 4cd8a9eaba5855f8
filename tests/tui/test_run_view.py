"""The events of a run folded into what the screen and `status` show."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.contract import protocol as p
from engine.contract.journal import JournalReader
from engine.contract.run_state import RunState
from engine.contract.wire import encode_record
from tui.album import newest_images
from tui.run_status import status
from tui.run_view import LOG_LINES, LostSteps, RunView, view_run

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun


def view_of(*events: p.Event) -> RunView:
    view = RunView("one", 60)
    for seq, event in enumerate(events, start=1):
        view.apply(p.Record(seq, float(seq), event))
    return view


def step(number: int, seconds: float = 1.5) -> p.StepCompleted:
    return p.StepCompleted(number, 0, 1 / number, 1e-4, 0.5, seconds)


def image(step: int, index: int) -> p.ValidationImageSaved:
    return p.ValidationImageSaved(step, index, f"validation/{step}_{index}.png", "a shoe", 42)


def test_status_of_a_live_run(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.tell(p.WarningRaised("what", "why", "remedy"))
    told = json.loads(json.dumps(status(view_run(recorded.dir))))
    losses, memory, prepared = told.pop("validation_losses"), told.pop("memory"), told.pop("prepared")
    assert [(one["step"], len(one["bands"])) for one in losses] == [(0, 4), (20, 4)]
    assert (memory["process"], prepared["train_samples"]) == (1_503_238_553, 88)
    pictures = told.pop("pictures")
    assert [(one["step"], one["seed"]) for one in pictures] == [(s, 42 + i) for s in (0, 20) for i in range(4)]
    assert told == {
        "name": "demo_noon",
        "state": "running",
        "reason": "",
        "started": 1_780_000_001.0,
        "last_event": 1_780_000_056.0,
        "phase": None,
        "step": 37,
        "max_train_steps": 60,
        "steps_per_minute": 42.86,
        "mean_steps_per_minute": 42.86,
        "eta_seconds": 37,
        "time_shares": {},
        "epoch": 3,
        "train_loss": pytest.approx(0.186942, abs=1e-6),
        "learning_rate": pytest.approx(1.075e-3),
        "gradient_norm": pytest.approx(0.6),
        "validation_loss": pytest.approx(0.235439, abs=1e-6),
        "supervisor_pid": 4001,
        "worker_pid": 4002,
        "stalled_seconds": None,
        "restarts": 0,
        "checkpoints": [
            {
                "step": 20,
                "path": "checkpoints/checkpoint-20",
                "why": "schedule",
                "bytes": 220_000,
                "saved": 1_780_000_037.0,
            },
        ],
        "adapter": [],
        "asked": [],
        "warnings": [{"step": 37, "time": 1_780_000_056.0, "what": "what", "why": "why", "remedy": "remedy"}],
        "failure": None,
        "log_dir": "logs/2026-05-28/train_demo/120000",
        "last_seq": 56,
        "unreadable_lines": 0,
    }


def test_the_time_left_counts_the_validations_to_come_and_is_unknown_while_the_worker_hangs() -> None:
    view = RunView("one", 60, validation_steps=10)
    events: list[p.Event] = [
        p.StateChanged("running"),
        *map(step, range(1, 11)),
        p.ValidationLossMeasured(10, 1.0, (1.0,) * 4),
    ]
    for seq, event in enumerate(events, start=1):
        view.apply(p.Record(seq, 3.0 * seq, event))
    assert view.validation_seconds == 3
    assert view.eta_seconds == pytest.approx(50 * 1.5 + 5 * 3)
    view.apply(p.Record(99, 99.0, p.WorkerStalled(60.0)))
    assert view.eta_seconds is None


def test_status_of_a_failed_run_says_what_why_and_what_to_do(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.tell(p.RunFailed("what", "why", "remedy"), p.StateChanged("failed", "what"))
    recorded.die()
    told = status(view_run(recorded.dir))
    assert told["failure"] == {"what": "what", "why": "why", "remedy": "remedy"}
    assert (told["state"], told["reason"], told["worker_pid"], told["eta_seconds"]) == ("failed", "what", None, None)


def test_a_run_without_a_supervisor_is_interrupted(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.tell(p.CommandAccepted("Pause"), command_id="x")
    recorded.die()
    view = view_run(recorded.dir)
    assert view.state is RunState.INTERRUPTED
    assert view.pending == {}  # nobody is there to obey
    assert status(view)["supervisor_pid"] is None
    assert view.eta_seconds is None


def test_a_final_state_stays_when_the_lock_is_free(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.finish()
    recorded.die()
    view = view_run(recorded.dir)
    assert view.state is RunState.FINISHED
    assert view.exported == ("lora_weights/adapter_model.safetensors",)


def test_a_resume_takes_back_what_came_after_the_checkpoint() -> None:
    bands = (0.1, 0.2, 0.3, 0.4)
    view = view_of(
        *[step(number) for number in range(1, 8)],
        p.ValidationLossMeasured(4, 0.3, bands), p.ValidationLossMeasured(6, 0.2, bands), image(4, 0), image(6, 0),
        p.RunResumed(4, "checkpoints/checkpoint-4"),
        step(5),
    )  # fmt: skip
    assert [one.step for one in view.steps] == [1, 2, 3, 4, 5]
    assert [one.step for one in view.validation_losses] == [4]
    assert [one.step for one in view.images] == [4]


def stalled(*events: p.Event) -> float | None:
    """What a view says that is shown events recorded 58 seconds ago."""
    view = RunView("one", 60)
    now = time.time()
    for seq, event in enumerate(events, start=1):
        view.apply(p.Record(seq, now - 58, event))
    view.conclude(live=True)
    return view.stalled_seconds


def test_a_stalled_worker_is_silent_from_its_last_word_until_now() -> None:
    assert stalled(step(1)) is None
    assert stalled(step(1), p.WorkerStalled(42.0)) == pytest.approx(100, abs=1)
    assert stalled(p.WorkerStalled(10.0), p.WorkerStalled(42.0)) == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    "event", [p.CommandAccepted("Pause"), p.CommandRejected("Stop", ""), p.LogRecorded("info", "")]
)
def test_what_the_supervisor_says_is_no_sign_of_the_worker(event: p.Event) -> None:
    assert stalled(p.WorkerStalled(42.0), event) == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    "event",
    [step(2), p.StateChanged("paused"), p.WorkerDied("killed", 1), p.WorkerStarted(3, 1), p.StateChanged("failed")],
)
def test_the_next_thing_heard_of_the_worker_ends_the_stall(event: p.Event) -> None:
    assert stalled(p.WorkerStalled(42.0), event) is None


def test_a_run_without_a_supervisor_is_interrupted_not_stalled() -> None:
    view = view_of(step(1), p.WorkerStalled(42.0))
    view.conclude(live=False)
    assert (view.state, status(view)["stalled_seconds"]) == (RunState.INTERRUPTED, None)


def test_a_start_from_the_beginning_takes_back_everything() -> None:
    bands = (0.1, 0.2, 0.3, 0.4)
    first, again = p.ValidationLossMeasured(0, 0.5, bands), p.ValidationLossMeasured(0, 0.5, bands)
    view = view_of(first, step(1), step(2), p.RunResumed(0, "the beginning"), again)
    assert (len(view.steps), view.step) == (0, 0)
    assert view.validation_losses == [again]


def test_pace_is_of_the_last_steps_and_time_left_follows_it() -> None:
    view = view_of(*[step(number, seconds=60.0) for number in range(1, 11)], *[step(n, 2.0) for n in range(11, 31)])
    assert view.steps_per_minute == pytest.approx(30)
    assert view.eta_seconds == pytest.approx(60)


def test_nothing_is_known_before_the_first_step() -> None:
    view = view_of()
    assert (view.step, view.steps_per_minute, view.eta_seconds) == (0, None, None)
    assert newest_images(view.images, 4) == []


def test_a_command_is_pending_until_it_is_answered() -> None:
    view = RunView("one", 60)
    view.apply(p.Record(1, 1.0, p.CommandAccepted("Pause"), "a"))
    view.apply(p.Record(2, 2.0, p.CommandAccepted("Validate"), "b"))
    assert view.pending == {"a": "Pause", "b": "Validate"}
    view.apply(p.Record(3, 3.0, p.CommandCompleted("Pause", "after step 3"), "a"))
    view.apply(p.Record(4, 4.0, p.CommandRejected("Validate", "no data"), "b"))
    assert view.pending == {}
    assert view.last_answer == "Validation was refused: no data"


def test_images_of_the_last_validation_stand_in_until_the_new_ones_come() -> None:
    events = [image(0, 0), image(0, 1), image(0, 2), image(20, 0), image(20, 1)]
    assert [(one.step, one.index) for one in newest_images(view_of(*events).images, 3)] == [(20, 0), (20, 1), (0, 2)]
    assert [(one.step, one.index) for one in newest_images(view_of(*events).images, 2)] == [(20, 0), (20, 1)]


def test_previews_stand_before_the_last_validation_and_are_no_validation_themselves() -> None:
    light = [replace(image(step, 0), preview=True) for step in (25, 30)]
    full = [image(0, 0), image(0, 1), image(20, 0), image(20, 1)]
    seen = newest_images(view_of(*full, *light).images, 2)
    assert [(one.step, one.index, one.preview) for one in seen] == [(30, 0, True), (20, 1, False)]
    seen = newest_images(view_of(*full, *light, image(40, 0)).images, 2)
    assert [(one.step, one.index, one.preview) for one in seen] == [(40, 0, False), (20, 1, False)]
    assert newest_images(view_of(light[0]).images, 2) == [light[0]]


def test_an_image_drawn_again_replaces_the_first() -> None:
    again = p.ValidationImageSaved(20, 0, "validation/again.png", "a shoe", 42)
    assert newest_images(view_of(image(20, 0), again).images, 1) == [again]


def test_a_phase_ends_when_all_is_done() -> None:
    running = p.PhaseProgressed("caching latents", 3, 4)
    assert view_of(running).phase == running
    assert view_of(running, p.PhaseProgressed("caching latents", 4, 4)).phase is None


def test_rotation_removes_a_checkpoint_and_a_new_one_replaces_its_namesake() -> None:
    old, new = p.CheckpointSaved(5, "c/5", "command", 1), p.CheckpointSaved(5, "c/5", "schedule", 1)
    assert view_of(old, new).checkpoints == [new]
    assert view_of(old, p.CheckpointRemoved(5, "c/5")).checkpoints == []


def test_the_log_keeps_the_newest_lines_and_counts_all() -> None:
    view = view_of(*[p.LogRecorded("info", str(number)) for number in range(LOG_LINES + 10)])
    assert view.logged == LOG_LINES + 10
    assert len(view.log) == LOG_LINES
    assert [line.text for line in view.newest_log(view.logged - 2)] == [str(LOG_LINES + 8), str(LOG_LINES + 9)]
    assert len(view.newest_log(0)) == LOG_LINES
    assert view.newest_log(view.logged) == []


def test_steps_and_images_have_places_of_their_own_and_are_not_in_the_log() -> None:
    view = view_of(step(1), image(0, 0), p.LogRecorded("warning", "careful"), p.UnknownEvent("Comet", {"tail": 1}))
    assert [(line.level, line.text.split()[0]) for line in view.log] == [("warning", "careful"), ("info", "Comet")]


# ---- what the journal says is all there is --------------------------------------------------------------------------

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
NUMBERS = st.integers(0, 40)
STEPS = st.builds(
    p.StepCompleted, NUMBERS, NUMBERS, st.floats(0, 10), st.floats(0, 1), st.floats(0, 100), st.floats(0.01, 10)
)
KINDS = [kind for kind in get_args(p.Event) if kind not in {p.UnknownEvent, p.StepCompleted, p.RunResumed}]
EVENTS = st.one_of(STEPS, st.builds(p.RunResumed, NUMBERS, st.text()), *[st.from_type(kind) for kind in KINDS])
RECORDS = st.lists(st.tuples(EVENTS, st.none() | st.sampled_from("abc")), max_size=40).map(
    lambda pairs: [p.Record(seq, 1000.0 + seq, event, cause) for seq, (event, cause) in enumerate(pairs, start=1)]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(RECORDS, st.integers(0, 2000), st.booleans())
def test_any_events_folded_in_any_batches_are_the_replay_of_their_journal(
    tmp_path: Path, records: list[p.Record], most: int, live: bool
) -> None:
    journal = tmp_path / "events.jsonl"
    journal.write_text("".join(encode_record(record) + "\n" for record in records))
    told, replayed, in_batches = (RunView("one", 60) for _ in range(3))
    for record in records:
        told.apply(record)
    for record in JournalReader(journal).read_all():
        replayed.apply(record)
    reader = JournalReader(journal)
    while not reader.is_at_end:
        for record in reader.read_new(most):
            in_batches.apply(record)
    for view in (told, replayed, in_batches):
        view.conclude(live)
    assert told == replayed == in_batches
    assert status(told) == status(in_batches)
    assert list(told.steps.numbers) == sorted(set(told.steps.numbers))


def test_lost_steps_warnings_and_checkpoints_are_known_with_their_place() -> None:
    warning = p.WarningRaised("what", "why", "remedy")
    view = view_of(
        *[step(number) for number in range(1, 8)], warning, p.CheckpointSaved(7, "c/7", "command", 1),
        p.RunResumed(4, "checkpoints/checkpoint-4"),
    )  # fmt: skip
    assert view.lost == [LostSteps(5, 7)]
    assert [(noted.step, noted.time, noted.warning) for noted in view.noted] == [(7, 8.0, warning)]
    assert view.warnings == [warning]
    assert view.saved_at == {"c/7": 9.0}


def test_the_time_of_validations_is_what_passed_before_each_word_of_them() -> None:
    view = RunView("one", 60)
    bands = (0.1, 0.2, 0.3, 0.4)
    told: list[tuple[float, p.Event]] = [
        (0.0, p.StateChanged("running")), (10.0, step(1)), (13.0, p.PhaseProgressed("validation loss", 1, 4)),
        (15.0, p.ValidationLossMeasured(1, 0.3, bands)), (16.0, p.StateChanged("paused")),
        (90.0, p.StateChanged("running")), (95.0, image(1, 0)), (105.0, step(2)),
        (106.0, p.StepTimed(2, 0.1, 0.2, 0.3, 0.4)),
    ]  # fmt: skip
    for seq, (moment, event) in enumerate(told, start=1):
        view.apply(p.Record(seq, moment, event))
    assert view.validation_seconds == 3 + 2 + 5
    assert view.shares == {"data": 0.1, "forward": 0.2, "backward": 0.3, "optimizer": 0.4}
