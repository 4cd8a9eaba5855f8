"""What can be done on every screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("runs", "1", "Runs", "All runs of this folder: look, open, stop, resume, compare."),
    Action("new", "2", "New run", "Set a training up, see what it will cost, and start it."),
    Action("monitor", "3", "Monitor", "Watch and steer the run in hand."),
    Action("gallery", "4", "Gallery", "The pictures that a run drew, by prompt and step."),
    Action("generate", "5", "Generate", "Draw pictures with a run's adapter."),
    Action("environment", "6", "Environment", "Whether this machine is ready, and how its memory stands."),
    Action("theme", "t", "Theme", "Choose the colours; each is shown while you look for it."),
    Action(
        "images",
        "i",
        "Pictures",
        "Show pictures in another way: in pixels where the terminal can, in blocks, not at all.",
    ),
    Action("help", "question_mark", "Help", "Explain keys, marks and colours."),
    Action("detach", "q", "Detach", "Leave the console; runs go on by themselves."),
)
