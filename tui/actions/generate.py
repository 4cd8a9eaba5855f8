"""What can be done on the Generate screen."""

from tui.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("draw", "g,ctrl+g", "Generate", "Draw the pictures; Enter in a field and ctrl+g do the same."),
    Action("stop", "s", "Stop", "End the drawing; pictures that are done stay."),
    Action("random", "r", "Random seed", "Put another number into the seed."),
    Action("edit", "e", "Edit", "Go to the prompt; Esc leaves it."),
    Action("gallery", "v", "View", "Look at the pictures in the Gallery."),
)
