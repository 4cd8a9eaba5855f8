"""Data set not found: what the run or the check said of its folder, pictures and captions."""

import re

from engine.contract import protocol as p
from tui.diagnosis.finding import Diagnosis, Facts, Finding

QUESTION = "Data set not found, or not usable"
OF_THE_DATA = re.compile(r"train_data_dir|Cannot list|usable pictures|training items|training data|caption")
OF_VALIDATION = re.compile(r"^Validation image ")  # that picture is the run's own


def data_set(facts: Facts) -> Finding:
    """A failure or warnings about the data; then what `check` says."""
    view, told = facts.view, list[p.RunFailed | p.WarningRaised]()
    if view:
        told = [view.failure] if view.failure else []
        told += reversed(view.warnings)
    found = [
        Diagnosis(one.what, one.why, one.remedy)
        for one in told
        if OF_THE_DATA.search(f"{one.what} {one.why} {one.remedy}") and not OF_VALIDATION.match(one.what)
    ]
    measured = "the data set was not read yet"
    if view and view.prepared:
        ready = view.prepared
        measured = (
            f"{ready.train_samples} training and {ready.validation_samples} validation samples, "
            f"{ready.skipped_samples} skipped"
        )
    looked = bool(view and view.prepared) or any(check.name == "data set" for check in facts.checks)
    return Finding(QUESTION, (*found, *facts.check("data set")), measured, looked)
