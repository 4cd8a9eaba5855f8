"""The line of sheets."""

from textual.app import App, ComposeResult

from tui.widgets.scrubber import Scrubber


class Line(App[None]):
    """A line alone."""

    def compose(self) -> ComposeResult:
        yield Scrubber()


async def test_marks_for_the_sheets_the_one_here_and_a() -> None:
    async with Line().run_test(size=(23, 3)) as pilot:
        line = pilot.app.query_one(Scrubber)
        for shown, text in (
            ((0, 0, None), " " * 21),
            ((1, 0, None), "─" * 20 + "●"),
            ((3, 1, None), "·─────────●─────────·"),
            ((3, 2, 0), "A─────────·─────────●"),
            ((3, 0, 0), "●─────────·─────────·"),
            ((500, 499, None), "·" * 20 + "●"),
        ):
            line.show(*shown)
            assert line.render_line(0).text == text
