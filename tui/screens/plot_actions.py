"""PlotActions: the part of the Monitor that chooses what of the curves is shown."""

from textual.dom import DOMNode

from tui.plot_window import Window
from tui.widgets.run_plot import RunPlot


class PlotActions(DOMNode):
    """What the keys of the plot do; for a screen with a RunPlot."""

    @property
    def plot(self) -> RunPlot:
        """The curves."""
        return self.query_one(RunPlot)

    def act_curve(self) -> None:
        """Plot the next number."""
        self.plot.choose(self.plot.tab + 1)

    def act_log_scale(self) -> None:
        """Change the scale."""
        self.plot.toggle_logarithmic()

    def act_zoom_in(self) -> None:
        """Show half as many steps."""
        self.plot.zoom_in()

    def act_zoom_out(self) -> None:
        """Show twice as many."""
        self.plot.zoom_out()

    def act_zoom_whole(self) -> None:
        """Show all."""
        self.plot.zoom(lambda _window, _newest: Window())

    def act_pan_left(self) -> None:
        """Move towards the first step."""
        self.plot.zoom(lambda window, newest: window.panned(newest, -1))

    def act_pan_right(self) -> None:
        """Move towards the newest step."""
        self.plot.zoom(lambda window, newest: window.panned(newest, 1))

    def act_follow(self) -> None:
        """Stay at the newest step."""
        self.plot.follow()

    def act_inspect_left(self) -> None:
        """Look at the step before."""
        self.plot.inspect(-1)

    def act_inspect_right(self) -> None:
        """Look at the step after."""
        self.plot.inspect(1)
