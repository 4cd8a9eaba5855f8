"""The console's own themes, and which one a terminal begins with."""

from textual.theme import Theme

DEFAULT, LIGHT = "nord", "textual-light"
HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#00d7ff",
    secondary="#ff87ff",
    accent="#ffff00",
    success="#00ff00",
    warning="#ffff00",
    error="#ff5f5f",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    text_alpha=1.0,
    variables={"text-muted": "#d0d0d0", "footer-background": "#000000", "border": "#ffffff"},
)
# Okabe and Ito's palette, which people with every kind of colour vision tell apart; nothing is green beside red.
COLOUR_BLIND = Theme(
    name="colour-blind",
    primary="#56b4e9",
    secondary="#cc79a7",
    accent="#f0e442",
    success="#56b4e9",
    warning="#e69f00",
    error="#e8743b",
    foreground="#e6e6e6",
    background="#14171a",
    surface="#1d2226",
    panel="#283036",
)
OWN = (HIGH_CONTRAST, COLOUR_BLIND)
FIRST = {
    DEFAULT: "dark",
    LIGHT: "light",
    HIGH_CONTRAST.name: "also for 16 colours",
    COLOUR_BLIND.name: "no red and green",
}


def first_theme(colour_system: str | None) -> str:
    """The theme until one is chosen; where there are 16 colours, the one that they show as it is meant."""
    return HIGH_CONTRAST.name if colour_system in {"standard", "windows"} else DEFAULT
