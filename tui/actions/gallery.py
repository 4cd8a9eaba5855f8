"""What can be done on the Gallery screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("earlier", "left", "Earlier", "All pictures one validation back; then new ones are not followed any more."),
    Action("later", "right", "Later", "All pictures one validation on; at the end new ones are followed."),
    Action("large", "enter", "Large", "Show the chosen picture alone, or all of them again."),
    Action(
        "compare", "c", "Compare", "Show the chosen picture beside the same prompt at A: by default the base model."
    ),
    Action("flip", "space", "Flip", "Show A in the same place, and back: what changes jumps to the eye."),
    Action("mark", "a", "Mark A", "Make this step A, to compare others with it; once more takes it back."),
    Action("base", "b", "Base", "Make the base model's pictures A, and compare with them."),
    Action("source", "v", "Source", "Change between validation images and pictures drawn on request."),
    Action("open", "o", "Open", "Open the picture with another program."),
    Action("copy", "y", "Copy path", "Put the picture's path on the clipboard."),
    Action("first", "home", "First", "Go to the first validation: what the base model draws."),
    Action("newest", "end", "Newest", "Go to the newest validation, and follow those to come."),
    Action("up", "up", "Prompt before", "Choose the prompt before."),
    Action("down", "down", "Next prompt", "Choose the next prompt."),
    Action("back", "escape", "Back", "All pictures again; then the Monitor."),
)
NOT_ON_THE_BAR = frozenset({"first", "newest", "up", "down", "back"})
