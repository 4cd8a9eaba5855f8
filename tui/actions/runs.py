"""What can be done on the Runs screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("open", "enter", "Open", "Watch the run on the Monitor."),
    Action("resume", "r", "Resume", "Go on after a pause, or from the newest good checkpoint of a run that has ended."),
    Action("stop", "s", "Stop", "End the run; asks first whether to save."),
    Action("filter", "slash", "Filter", "Show only the runs whose name or state has these letters."),
    Action("mark", "space", "Mark", "Mark the run, to compare it with another."),
    Action("compare", "c", "Compare", "Show the curves of two marked runs, and the settings in which they differ."),
    Action("folder", "o", "Folder", "Open the run's folder on the desktop."),
    Action("copy", "y", "Copy path", "Put the path of the run's folder on the clipboard."),
    Action("delete", "d,delete", "Delete", "Remove the run and its logs from the disk; asks first. Never a live one."),
)
