"""The console's own themes, and which one a terminal begins with."""

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

DEFAULT = "nord"
MUTED = 0.65  # how much of the foreground muted text has, where a theme does not say
# Bright colours of the 16 that every terminal has; texts in them are not blended, so that they stay the same there.
BRIGHT = {
    "primary": "#55ffff", "secondary": "#ffffff", "accent": "#ff55ff", "success": "#55ff55", "warning": "#ffff55",
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
        "primary-muted": "#0000aa",  # under the cursor; grey would not be seen as well
        **{f"{name}-muted": "#000000" for name in ("success", "warning", "error")},  # bright red on grey cannot be read
        "block-cursor-foreground": "#000000",
        "block-cursor-blurred-background": "#0000aa",
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
# Dark enough to be read on a bright ground, which Textual's own light theme is not in orange and green.
DAYLIGHT = Theme(
    name="daylight",
    primary="#005a9c",
    secondary="#00707a",
    accent="#7b2cbf",
    success="#1d7a3a",
    warning="#9a4d00",
    error="#b3261e",
    foreground="#1c1c1c",
    background="#f5f5f5",
    surface="#e6e6e6",
    panel="#dadada",
    dark=False,
)
NORD = replace(BUILTIN_THEMES[DEFAULT], error="#dd8a92")  # theirs is so dark that "failed" cannot be read on it
OWN = (NORD, DAYLIGHT, HIGH_CONTRAST, COLOUR_BLIND)
FIRST = {
    DEFAULT: "dark",
    DAYLIGHT.name: "light",
    HIGH_CONTRAST.name: "also for 16 colours",
    COLOUR_BLIND.name: "no red and green",
}


def first_theme(colour_system: str | None) -> str:
    """The theme until one is chosen; where there are 16 colours, the one that they show as it is meant."""
    return HIGH_CONTRAST.name if colour_system in {"standard", "windows"} else DEFAULT
