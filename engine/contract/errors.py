"""The errors that a user can cause or mend; each says what happened, why, and what to do."""


class ShoeloraError(Exception):
    """Base of every foreseeable error.

    ShoeloraError
    ├── ConfigError      a setting is unknown, out of bounds, or contradicts another
    ├── DataError        the training pictures or captions cannot be used
    ├── ModelError       the base model is missing or does not fit
    ├── DeviceError      the asked-for device or precision cannot be had
    ├── CheckpointError  a checkpoint is damaged or belongs to other settings
    ├── TrainingError    the run cannot go on: non-finite numbers, memory, disk
    │   └── NonFiniteError   one step gave a number that is not finite
    └── RunError         the run named is not there, not running, or already running
    """

    def __init__(self, what: str, why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  Why: {self.why}")
        if self.remedy:
            lines.append(f"  Do:  {self.remedy}")
        return "\n".join(lines)


def first_line(error: BaseException) -> str:
    """What somebody else's error says, in short; its kind if it says nothing, as a MemoryError does."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class ConfigError(ShoeloraError):
    """A setting is unknown, out of bounds, or contradicts another."""


class DataError(ShoeloraError):
    """The training pictures or captions cannot be used."""


class ModelError(ShoeloraError):
    """The base model is missing or does not fit."""


class DeviceError(ShoeloraError):
    """The asked-for device or precision cannot be had."""


class CheckpointError(ShoeloraError):
    """A checkpoint is damaged or belongs to other settings."""


class TrainingError(ShoeloraError):
    """The run cannot go on: non-finite numbers, memory, disk."""


class NonFiniteError(TrainingError):
    """One step gave a number that is not finite; `samples` are the ids of those that may be the cause."""

    def __init__(self, what: str, why: str, remedy: str, samples: tuple[str, ...]) -> None:
        super().__init__(what, why, remedy)
        self.samples = samples


class RunError(ShoeloraError):
    """The run named is not there, not running, or already running."""
