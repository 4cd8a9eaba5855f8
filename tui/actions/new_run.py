"""What can be done on the New run screen. Text fields swallow letters, so the keys that matter have no letter alone."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("start", "f5,ctrl+r", "Start", "Start the run and watch it; whatever keeps it from starting is told first."),
    Action("preflight", "f7,ctrl+t", "Preflight", "Train five steps without keeping them: pace, memory, time."),
    Action("check", "f6,ctrl+g", "Check", "Look whether this machine, the data and the base model are ready."),
    Action("close", "f8,x", "Close", "Stop the check or preflight that is at work; else hide its report."),
    Action(
        "copy-remedy", "y,alt+y", "Copy remedy", "Put a remedy of the report on the clipboard; once more the next one."
    ),
    Action("find", "slash,ctrl+f", "Find", "Show only the settings with these letters in name, title or help."),
    Action("preset", "f2", "Preset", "Choose the preset that the settings begin from."),
    Action("save", "f3,ctrl+y", "Save", "Write the settings into a JSON file; asks before it overwrites one."),
    Action("load", "f4,ctrl+l", "Load", "Take the settings of a JSON file, such as the config.json of an older run."),
    Action("reset", "f9,r", "Reset", "Put the setting with the cursor back to the preset's."),
    Action("reset-all", "f12,R", "Reset all", "Put every setting back to the preset's; asks first."),
    Action("text-add", "ctrl+n", "Add text", "Add a line to a list of texts, such as the prompts; Enter does it too."),
    Action("text-remove", "ctrl+delete", "Remove text", "Take the line out; Backspace does it to an empty one."),
    Action("text-up", "shift+up,alt+up", "Move up", "Let the line with the cursor change places with the one above."),
    Action("text-down", "shift+down,alt+down", "Move down", "Let the line change places with the one below."),
)
ON_BUTTONS = ("start", "preflight", "check")
