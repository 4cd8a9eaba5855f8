"""The monitor screen as a user meets it: what it shows, what its keys do, and that it bears every size."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from engine.contract import protocol as p
from engine.contract.errors import RunError
from engine.contract.journal import JournalWriter
from engine.contract.run_dir import RunDir
from tests.tui.consoles import console_on, monitor_of
from tui.console import ConsoleApp
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.help import HelpScreen
from tui.screens.monitor import MonitorScreen
from tui.screens.runs import RunsScreen
from tui.screens.stop_dialog import StopDialog
from tui.widgets.details import Details
from tui.widgets.log_pane import LogPane
from tui.widgets.run_plot import RunPlot
from tui.widgets.tab_line import TabLine

if TYPE_CHECKING:
    from tests.tui.conftest import RecordedRun

Obeying = Callable[[Callable[[p.Request], None]], list[p.Command]]
PATIENCE = 500  # looks, 0.02 s apart


class Console:
    """A console in a test, read off its screen."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def text(self) -> str:
        """All that is on the screen, row by row."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def shows(self, *patterns: str) -> None:
        """Wait until all patterns are on the screen; a blank stands for any white space, as where lines wrap."""
        for pattern in patterns:
            expression = re.compile(pattern.replace(" ", r"\s+"))
            await self.until(lambda expression=expression: bool(expression.search(self.text)), pattern)  # type: ignore[misc]

    async def until(self, true: Callable[[], bool], what: str) -> None:
        for _ in range(PATIENCE):
            await self.pilot.pause(0.02)
            if true():
                return
        pytest.fail(f"never came: {what}\n{self.text}")


@asynccontextmanager
async def watching(
    run: RecordedRun, size: tuple[int, int] = (100, 30), readonly: bool = False
) -> AsyncIterator[Console]:
    """A console on a run; the first records are on the screen."""
    app = console_on(run.dir, readonly)
    async with app.run_test(size=size, notifications=True) as pilot:
        console = Console(app, pilot)
        await console.until(
            lambda: monitor_of(app).is_mounted and monitor_of(app).view.last_seq > 0, "the first records"
        )
        yield console


async def test_shows_where_a_run_stands(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded) as console:
        await console.shows(
            "▶ running", "demo_noon", "cpu fp32", "step 37/60", "62%", "epoch 3", "42.9 steps/min", "37 s left",
            "loss 0.1869", "val 0.2354", "lr 1.1e-03", "gpu 3.4/10.7 GiB", "mem 1.4 GiB",
        )  # fmt: skip
        await console.shows("Pictures at step 20", "red casual", "▀", "◆", "▲", "Checkpoint checkpoints/checkpoint-20")


async def test_follows_what_the_run_does(recorded: RecordedRun) -> None:
    recorded.start()
    async with watching(recorded) as console:
        await console.shows("◌ preparing", "No loss yet", "No pictures yet: the first come")
        recorded.tell(p.PhaseProgressed("caching latents", 40, 96))
        await console.shows("caching latents ━+╌+ 40/96")
        recorded.prepare()
        recorded.steps(1, 3)
        await console.shows("▶ running", "step 3/60")


async def test_a_command_is_asked_for_at_once_and_then_obeyed(recorded: RecordedRun, obeying: Obeying) -> None:
    recorded.half_way()
    requests: list[p.Request] = []
    taken = obeying(requests.append)
    async with watching(recorded) as console:
        await console.pilot.press("p")
        assert "Pause asked for…" in console.text
        await console.until(lambda: taken == [p.Pause()], "the command")
        recorded.tell(p.StateChanged("paused"), p.CommandCompleted("Pause", "after step 37"), command_id=requests[0].id)
        await console.shows("‖ paused", "Pause done: after step 37", "p Resume")
        assert "asked for…" not in console.text
        await console.pilot.press("p")
        await console.until(lambda: taken == [p.Pause(), p.Resume()], "the second command")


@pytest.mark.parametrize(("key", "command"), [("c", p.SaveCheckpoint()), ("v", p.Validate())])
async def test_keys_and_buttons_send_the_same(
    recorded: RecordedRun, obeying: Obeying, key: str, command: p.Command
) -> None:
    recorded.half_way()
    taken = obeying(lambda request: recorded.tell(p.CommandCompleted("", "done"), command_id=request.id))
    async with watching(recorded) as console:
        await console.pilot.press(key)
        await console.until(lambda: taken == [command], "the key's command")
        await console.pilot.click(f"#{'checkpoint' if key == 'c' else 'validate'}")
        await console.until(lambda: taken == [command, command], "the button's command")


@pytest.mark.parametrize(
    ("answer", "commands"), [("s", [p.Stop(save=True)]), ("enter", [p.Stop(save=True)]), ("d", [p.Stop(save=False)])]
)
async def test_stop_asks_how(recorded: RecordedRun, obeying: Obeying, answer: str, commands: list[p.Command]) -> None:
    recorded.half_way()
    taken = obeying(lambda _request: None)
    async with watching(recorded) as console:
        await console.pilot.press("s")
        await console.shows("Stop the run\\?", "s Save and stop", "d Do not save", "Esc Cancel")
        assert taken == []
        await console.pilot.press(answer)
        await console.until(lambda: taken == commands, "the command")
        await console.shows("Stop asked for…")


async def test_a_stop_can_be_cancelled(recorded: RecordedRun, obeying: Obeying) -> None:
    recorded.half_way()
    taken = obeying(lambda _request: None)
    async with watching(recorded) as console:
        await console.pilot.press("s")
        assert isinstance(console.app.screen, StopDialog)
        await console.pilot.press("escape")
        assert isinstance(console.app.screen, MonitorScreen)
        assert "asked for…" not in console.text
    assert taken == []


async def test_a_stalled_worker_is_shown_and_restarted_without_a_question(
    recorded: RecordedRun, obeying: Obeying
) -> None:
    recorded.half_way()
    taken = obeying(lambda _request: None)
    async with watching(recorded, size=(80, 24)) as console:
        await console.shows("▶ running")
        assert "k Restart" not in console.text
        journal = JournalWriter(recorded.dir.journal)  # dated now, unlike what was recorded
        journal.append(p.WorkerStalled(42.0))
        await console.shows("▶ running, stalled 4\\d s", "Nothing is heard of the worker", "k Restart", "\\? Help")
        shown = console.text.splitlines()[1]
        await console.until(lambda: console.text.splitlines()[1] != shown, "the next second")
        await console.pilot.press("k")
        await console.until(lambda: taken == [p.RestartWorker()], "the command")
        journal.append(p.WorkerStarted(4003, 1))
        journal.close()
        await console.until(lambda: "stalled" not in console.text.splitlines()[1], "the end of the stall")


@pytest.mark.parametrize(("answer", "commands"), [("k", [p.RestartWorker()]), ("escape", [])])
async def test_a_restart_of_a_worker_that_is_heard_of_is_asked_about(
    recorded: RecordedRun, obeying: Obeying, answer: str, commands: list[p.Command]
) -> None:
    recorded.half_way()
    taken = obeying(lambda _request: None)
    async with watching(recorded) as console:
        await console.pilot.press("k")
        await console.shows("Restart the worker\\?", "the steps since then are done again")
        await console.pilot.press(answer, "v")  # so that it can be seen that nothing was sent before
        await console.until(lambda: taken == [*commands, p.Validate()], "the commands")


async def test_what_is_not_possible_now_says_why(recorded: RecordedRun, obeying: Obeying) -> None:
    recorded.start()
    taken = obeying(lambda _request: None)
    async with watching(recorded) as console:
        await console.shows("preparing")
        assert console.app.screen.query_one("#checkpoint", Button).disabled
        await console.pilot.press("c")
        await console.shows("Not now", "Checkpoint is", "running or")
    assert taken == []


async def test_a_reader_cannot_steer(recorded: RecordedRun, obeying: Obeying) -> None:
    recorded.half_way()
    taken = obeying(lambda _request: None)
    async with watching(recorded, readonly=True) as console:
        await console.shows("read-only")
        await console.pilot.press("p", "s")
        await console.shows("Attach without --readonly")
        assert isinstance(console.app.screen, MonitorScreen)
        assert all(console.app.screen.query_one(f"#{name}", Button).disabled for name in ("pause", "stop"))
    assert taken == []


async def test_a_supervisor_that_does_not_answer_is_reported(recorded: RecordedRun) -> None:
    recorded.half_way()  # it holds the lock, and nobody listens
    async with watching(recorded) as console:
        await console.pilot.press("c")
        await console.shows("did not answer", "the user who started a run")
        assert "asked for…" not in console.text


async def test_a_run_whose_supervisor_is_gone_is_interrupted(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded) as console:
        await console.shows("▶ running")
        recorded.die()
        await console.shows(
            "! interrupted", "Interrupted at step 37", "→ p goes on, as does `shoelora-tui resume \\S*demo_noon"
        )
        assert not console.app.screen.query_one("#resume", Button).disabled


async def test_a_finished_run_says_where_the_adapter_is(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.finish()
    recorded.die()
    async with watching(recorded) as console:
        await console.shows("✓ finished", "step 60/60", "Finished at step 60", "lora_weights", "100%")


async def test_a_failed_run_says_what_why_and_what_to_do(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.tell(p.RunFailed("The loss is not finite", "img_07 gave NaN.", "Lower learning_rate."))
    recorded.tell(p.StateChanged("failed"))
    recorded.die()
    async with watching(recorded) as console:
        await console.shows(
            "✗ failed", "✗ The loss is not finite. img_07 gave NaN.", "→ Lower learning_rate. Then p goes"
        )


async def test_the_newest_warning_is_on_top_until_it_is_dismissed(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded) as console:
        recorded.tell(p.WarningRaised("2 pictures were skipped", "img_07.png is torn.", "Mend it."))
        await console.shows("! 2 pictures were skipped. img_07.png is torn. (x Dismiss )?→ Mend it.")
        await console.pilot.press("x")
        await console.until(lambda: "→ Mend it." not in console.text, "the notice gone")
        recorded.tell(p.WarningRaised("The disk is nearly full", "1 GiB is left.", "Make room."))
        await console.shows("! 2 warnings, newest: The disk is nearly full", "→ Make room.")


async def test_a_missing_and_a_torn_picture_are_said_in_their_place(recorded: RecordedRun) -> None:
    recorded.half_way()
    missing, torn = (recorded.dir.validation_image(1, 20, index) for index in (0, 1))
    missing.unlink()
    torn.write_bytes(torn.read_bytes()[:60])
    async with watching(recorded, (120, 34)) as console:
        await console.shows("file is gone", "no whole picture", "▀")


async def test_pictures_of_the_last_validation_stay_until_the_new_ones_come(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded, (140, 40)) as console:
        await console.shows("Pictures at step 20", "red casual")
        recorded.validate(37, count=1)
        await console.shows("Pictures at step 37", "red casual", "step 20: blue")


async def test_the_log_is_not_dragged_down_while_it_is_read(recorded: RecordedRun) -> None:
    recorded.start()
    recorded.tell(*[p.LogRecorded("info", f"line {number}.") for number in range(100)])
    async with watching(recorded) as console:
        await console.shows("line 99\\.")
        await console.pilot.press("home")
        await console.shows("Run demo_noon is in the hands")
        recorded.tell(p.LogRecorded("info", "line 100."))
        await console.until(lambda: monitor_of(console.app).view.logged == 104, "the new line")
        await console.until(lambda: "1 new" in str(console.app.screen.query_one(LogPane).border_subtitle), "a hint")
        assert "Run demo_noon is in the hands" in console.text
        await console.pilot.press("end")
        await console.shows("line 100\\.")
        recorded.tell(p.LogRecorded("info", "line 101."))
        await console.shows("line 101\\.")


async def test_bears_every_size(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded, (80, 24)) as console:
        await console.shows("Log", "▀")
        for width, height in [(10, 4), (40, 12), (56, 14), (60, 20), (60, 50), (80, 24), (120, 40), (200, 60)]:
            await console.pilot.resize_terminal(width, height)
            await console.pilot.pause()
            rows = console.text.split("\n")
            assert len(rows) == height
            assert max(map(len, rows)) <= width
            if width < 56 or height < 14:
                await console.shows("Too small")
                continue
            await console.shows("step 37/60", "Pictures at step 20", "▀", "q Detach", "\\? Help")
            full = (width >= 80 and height >= 24) or height >= 40
            assert (
                "─ Log │" in console.text or "─Log─" in console.text,
                "w: log, checkpoints…" in console.text,
            ) == (full, not full)


async def test_keys_work_where_the_window_is_too_small(recorded: RecordedRun, obeying: Obeying) -> None:
    recorded.half_way()
    taken = obeying(lambda _request: None)
    async with watching(recorded, (30, 8)) as console:
        await console.shows("Too small: 30x8, needs 56x14", "▶ running 37/60")
        await console.pilot.press("p")
        await console.until(lambda: taken == [p.Pause()], "the command")


async def test_ten_thousand_steps_are_shown_at_once(recorded: RecordedRun) -> None:
    recorded.start()
    recorded.prepare()
    recorded.tell(*[p.StepCompleted(step, 1, 0.1 + step % 7 / 100, 1e-4, 0.3, 1.0) for step in range(1, 10_001)])
    async with watching(recorded, (200, 60)) as console:
        await console.shows("step 10000/60", "10000")
        await console.pilot.press("question_mark")
        assert isinstance(console.app.screen, HelpScreen)


async def test_a_resumed_run_comes_back_to_life(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.tell(p.StateChanged("stopping"), p.StateChanged("stopped"))
    async with watching(recorded) as console:
        await console.shows("■ stopped", "Stopped at step 37")
        recorded.start()
        recorded.tell(p.RunResumed(20, "checkpoints/checkpoint-20"))
        await console.shows("◌ preparing", "step 20/60")
        assert "Stopped at step" not in console.text


async def test_escape_goes_back_to_all_runs(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded) as console:
        await console.pilot.press("escape")
        await console.until(lambda: isinstance(console.app.screen, RunsScreen), "all runs")


async def test_an_ended_run_is_started_again(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.half_way()
    recorded.tell(p.StateChanged("stopping"), p.StateChanged("stopped"))
    recorded.die()
    restarted: list[RunDir] = []
    monkeypatch.setattr("engine.control.restart", restarted.append)
    async with watching(recorded) as console:
        await console.shows("■ stopped", "p goes on", "p Resume")
        await console.pilot.press("p")
        await console.until(lambda: restarted == [recorded.dir], "the restart")


async def test_an_ended_run_that_cannot_be_started_says_why(
    recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.half_way()
    recorded.die()

    def fail(_run: RunDir) -> None:
        raise RunError("The disk is full", "0 bytes are free.", "Make room.")

    monkeypatch.setattr("engine.control.restart", fail)
    async with watching(recorded) as console:
        await console.shows("! interrupted")
        await console.pilot.press("p")
        await console.shows("The disk is full", "Make room")
        assert "Resume asked for" not in console.text


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_leaving_asks_nothing(recorded: RecordedRun, key: str) -> None:
    recorded.half_way()
    async with watching(recorded) as console:
        await console.pilot.press(key)
        await console.until(lambda: not console.app.is_running, "the end of the console")
    assert recorded.dir.is_live()


async def test_help_explains_and_closes(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded, (100, 40)) as console:
        await console.pilot.press("question_mark")
        await console.shows("p Pause: Hold still", "◆ validation loss", "✗ failed ended by an error")
        await console.pilot.press("escape")
        assert isinstance(console.app.screen, MonitorScreen)


async def test_the_palette_knows_every_action(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded) as console:
        await console.shows("▶ running")
        names = {command.title for command in console.app.get_system_commands(console.app.screen)}
        assert names >= {"Pause", "Checkpoint", "Validate", "Stop", "Restart", "Dismiss", "Detach", "Help", "Theme"}
        assert "Resume" not in names


# ---- the plot, the panes and the way to other screens --------------------------------------------------------------


async def test_keys_choose_the_curve_the_scale_and_the_steps_that_are_shown(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded, (120, 34)) as console:
        plot = monitor_of(console.app).query_one(RunPlot)
        await console.shows("─ raw ━ avg ◆ val", "0 10 20 30")
        await console.pilot.press("l")
        await console.shows("log ─ raw")
        await console.pilot.press("plus")
        await console.until(lambda: plot.window.follows and not plot.window.is_whole, "half of the run")
        await console.pilot.press("comma")
        assert not plot.window.follows
        await console.pilot.press("full_stop", "minus", "equals_sign", "0")
        assert plot.window.is_whole
        for title in ("1 t<250", "0.001", "0.6", "1.4"):
            await console.pilot.press("u")
            await console.shows(title)
        await console.pilot.press("u")
        assert plot.tab == 0


async def test_a_step_is_looked_at_and_left_again(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded, (120, 34)) as console:
        await console.shows("◆ val ")
        await console.pilot.press("left")
        await console.shows("step 37 loss 0.1869 avg|smoothed", "┊")
        await console.pilot.press("left", "left", "right")
        await console.shows("step 36 loss")
        await console.pilot.press("escape")
        assert monitor_of(console.app).query_one(RunPlot).cursor is None
        assert console.app.is_running
        await console.pilot.press("left", "f")
        assert monitor_of(console.app).query_one(RunPlot).cursor is None


async def test_tab_and_scale_and_pane_are_kept(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded) as console:
        await console.pilot.press("u", "u", "l", "w")
        settings = console.app.settings
        kept = [settings.recall(key, "") for key in ("monitor.tab", "monitor.scale", "monitor.pane")]
        assert kept == ["rate", "logarithmic", "Checkpoints"]
        console.app.settings = settings
        again = MonitorScreen(recorded.dir)
        await console.app.push_screen(again)
        await console.pilot.pause()
        assert again.query_one(RunPlot).tab == 2
        assert again.query_one(RunPlot).logarithmic
        assert again.query_one(Details).pane == 1


async def test_checkpoints_have_size_reason_and_age_and_warnings_their_remedy(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.tell(p.WarningRaised("2 pictures were skipped", "img_07.png is torn.", "Mend it."))
    async with watching(recorded, (120, 40)) as console:
        await console.shows("Checkpoints 1 │ Warnings 1")
        await console.pilot.press("w")
        await console.shows("▲ step 20 .* 215 KiB by schedule, \\d+ d \\d+ h ago")
        await console.pilot.press("x", "w")
        await console.shows("! 2 pictures were skipped step 37", "img_07.png is torn.", "→ Mend it.")
        await console.pilot.press("w")
        await console.shows("State: running")


async def test_panes_take_turns_with_the_plot_in_a_small_window(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded, (60, 20)) as console:
        await console.shows("Pictures at step 20")
        await console.pilot.press("w")
        await console.shows("─ Log │ Checkpoints 1", "State: running")
        assert "Pictures at step 20" not in console.text
        await console.pilot.press("w")
        await console.shows("by schedule")
        await console.pilot.press("w", "w")
        await console.shows("Pictures at step 20")
        await console.pilot.press("w", "escape")
        await console.shows("Pictures at step 20")
        assert console.app.is_running


async def test_words_are_found_in_the_log_and_keys_are_letters_meanwhile(recorded: RecordedRun) -> None:
    recorded.start()
    recorded.tell(*[p.LogRecorded("info", f"line {n}, {'even' if n % 2 == 0 else 'Odd'}") for n in range(60)])
    async with watching(recorded) as console:
        log = monitor_of(console.app).query_one(LogPane)
        await console.shows("line 59")
        await console.pilot.press("slash", *"odd", "enter")
        await console.shows("30 of 30: odd", "line 59, Odd")
        await console.pilot.press("N")
        await console.shows("29 of 30: odd", "line 57, Odd")
        await console.pilot.press("n", "n")
        await console.shows("1 of 30: odd", "line 1, Odd")
        assert not log.following
        recorded.tell(p.LogRecorded("info", "another odd one"))
        await console.shows("1 of 31: odd")
        await console.pilot.press("escape")
        await console.until(lambda: "of 31" not in console.text, "the end of finding")
        await console.pilot.press("end")
        await console.shows("another odd one")
        assert log.following
        await console.pilot.press("slash", *"comet", "enter")
        await console.shows("not found: comet")


async def test_a_click_chooses_curve_and_pane(recorded: RecordedRun) -> None:
    recorded.half_way()
    async with watching(recorded, (120, 40)) as console:
        await console.shows("Checkpoints 1")
        lines = console.app.screen.query(TabLine)
        await console.pilot.click(lines.last(), offset=(9, 0))
        await console.shows("▲ step 20")
        await console.pilot.click(lines.first(), offset=(10, 0))
        await console.shows("1 t<250")
        assert console.app.screen.query_one(RunPlot).tab == 1


async def test_the_share_of_each_part_of_a_step_is_shown(recorded: RecordedRun) -> None:
    recorded.half_way()
    recorded.tell(p.StepTimed(37, 0.02, 0.45, 0.85, 0.08))
    async with watching(recorded, (120, 40)) as console:
        await console.shows(
            "mean 42.9 steps/min trend → steady data 1% forward \\d+% backward \\d+% optimizer \\d% validation \\d+%"
        )
        await console.pilot.resize_terminal(80, 24)
        await console.shows("mean 42.9 steps/min → steady data 1% fwd \\d+% bwd \\d+% opt \\d% val \\d+%")


async def test_the_way_to_pictures_diagnosis_and_folder(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "far away")
    recorded.half_way()
    async with watching(recorded) as console:
        await console.shows("▶ running")
        await console.pilot.press("o")
        await console.shows("at the other end", "y copies the path")
        await console.pilot.press("y")
        await console.shows("On the clipboard")
        assert console.app.clipboard == str(recorded.dir.path)
        await console.pilot.press("d")
        await console.until(lambda: isinstance(console.app.screen, DiagnosisScreen), "the diagnosis")
        await console.pilot.press("escape")
        await console.pilot.press("g")
        await console.until(lambda: type(console.app.screen).__name__ == "GalleryScreen", "the gallery")
        recorded.steps(38, 40)
        await console.pilot.press("3")
        await console.shows("step 40/60")


async def test_a_long_journal_is_shown_when_it_has_been_read_to_its_end(recorded: RecordedRun) -> None:
    recorded.start()
    recorded.tell(*[p.LogRecorded("info", "x" * 1000) for _ in range(1000)], p.StateChanged("running"))
    async with watching(recorded) as console:
        await console.shows("▶ running", "xxxx")
        assert monitor_of(console.app).view.logged == 1004
