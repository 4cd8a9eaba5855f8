"""The console's own themes, and which one a terminal begins with."""

from textual.theme import Theme

DEFAULT, LIGHT = "nord", "textual-light"
# Bright colours of the 16 that every terminal has; texts in them are not blended, so that they stay the same there.
BRIGHT = {
    "primary": "#55ffff", "secondary": "#ff55ff", "accent": "#ffff55", "success": "#55ff55", "warning": "#ffff55",
    "error": "#ff5555",
}  # fmt: skip
HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary=BRIGHT["primary"],
    secondary=BRIGHT["secondary"],
    accent=BRIGHT["accent"],
    success=BRIGHT["success"],
    warning=BRIGHT["warning"],
    error=BRIGHT["error"],
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    text_alpha=1.0,
    variables={
        **{f"text-{name}": colour for name, colour in BRIGHT.items()},
        "text-muted": "#c0c0c0",
        "block-cursor-foreground": "#000000",
        "border": "#ffffff",
    },
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
