"""The line of names above a pane."""

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from tui.widgets.tab_line import TabLine


class LineApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.line = TabLine(("Checkpoints", "Warnings"), ("Ckpt", "Warn"))
        self.chosen: list[int] = []

    def compose(self) -> ComposeResult:
        yield self.line

    def on_tab_line_chosen(self, message: TabLine.Chosen) -> None:
        self.chosen.append(message.index)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, "─ Checkpoints 3 │ Warnings ──────────────────── 4 new below"),
        (40, "─ Ckpt 3 │ Warn ─────────── 4 new below"),
        (27, "─ Ckpt 3 │ Warn ── 4 below"),
        (20, "─ Ckpt 3 │ Warn ────"),
    ],
)
async def test_the_longest_remark_that_fits_is_said(width: int, shown: str) -> None:
    app = LineApp()
    async with app.run_test(size=(width, 3)) as pilot:
        app.line.show(0, [Content("4 new below"), Content("4 below")], (3, 0))
        await pilot.pause()
        assert app.line.render_line(0).text.rstrip() == shown


async def test_a_click_chooses_another_name() -> None:
    app = LineApp()
    async with app.run_test(size=(60, 3)) as pilot:
        await pilot.click(TabLine, offset=(18, 0))
        await pilot.click(TabLine, offset=(3, 0))  # the one that is chosen already
        assert app.chosen == [1]
