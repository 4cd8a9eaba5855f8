"""The time left of a phase."""

from engine.contract import protocol as p
from tui.foreground import LineWriter, bar_of
from tui.phase_pace import PhasePace
from tui.run_view import RunView

LATENTS = "caching latents"


def after(*reports: tuple[float, int], phase: str = LATENTS) -> PhasePace:
    pace = PhasePace()
    for time, done in reports:
        pace.see(time, p.PhaseProgressed(phase, done, 100))
    return pace


def test_the_time_left_follows_from_the_pace_so_far() -> None:
    assert after((50, 0), (60, 10)).left == "1 min 30 s left"
    assert after((50, 40), (60, 50)).left == "50 s left"  # 40 of them were in the cache
    assert after((50, 0), (60, 10), (100, 90)).left == "6 s left"


def test_nothing_is_said_before_something_is_known() -> None:
    assert after().left == after((50, 0)).left == after((50, 0), (51, 1)).left == after((50, 3), (60, 3)).left == ""
    assert after((50, 0), (60, 100)).left == ""


def test_another_phase_another_round_and_a_rest_begin_anew() -> None:
    pace = after((0, 0), (50, 99))
    pace.see(60, p.PhaseProgressed("caching captions", 1, 100))
    assert pace.left == ""
    pace.see(64, p.PhaseProgressed("caching captions", 5, 100))
    assert pace.left == "1 min 35 s left"
    pace.see(70, p.PhaseProgressed("caching captions", 0, 100))
    assert pace.left == ""
    pace = after((0, 0), (10, 10))
    pace.rest()
    pace.see(4000, p.PhaseProgressed(LATENTS, 11, 100))
    assert pace.left == ""


def records() -> list[p.Record]:
    reports = [p.Record(n, 1000.0 + 10 * n, p.PhaseProgressed(LATENTS, 10 * n, 100), None) for n in range(1, 5)]
    paused = p.Record(5, 2000.0, p.StateChanged("paused"), None)
    return [*reports, paused, p.Record(6, 3000.0, p.PhaseProgressed(LATENTS, 41, 100), None)]


def test_it_is_shown_behind_the_numbers_and_not_spoiled_by_a_pause() -> None:
    view, writer = RunView("shoes", 20), LineWriter()
    lines = []
    for record in records():
        view.apply(record)
        lines.append(writer.line(record))
        if record.seq == 4:
            assert bar_of(view) == (LATENTS, 40, 100, "1 min 00 s left")
    assert lines[0] == "caching latents 10/100"
    assert lines[1] == "caching latents 20/100, 1 min 20 s left"
    assert lines[3] == "caching latents 40/100, 1 min 00 s left"
    assert lines[5] == "caching latents 41/100"
    assert bar_of(view) == (LATENTS, 41, 100, "")
