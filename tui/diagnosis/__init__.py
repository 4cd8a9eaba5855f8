"""What may be wrong with a run, each with the figures that point to it and what to do; no Textual in it."""

from tui.diagnosis.data import data_set
from tui.diagnosis.finding import Diagnosis, Facts, Finding
from tui.diagnosis.memory import out_of_memory
from tui.diagnosis.pace import too_slow
from tui.diagnosis.pictures import black_images
from tui.diagnosis.reports import reports
from tui.diagnosis.trend import loss_not_falling

QUESTIONS = (out_of_memory, black_images, data_set, too_slow, loss_not_falling)

__all__ = ["Diagnosis", "Facts", "Finding", "diagnose"]


def diagnose(facts: Facts) -> list[Finding]:
    """An answer to every question: what explains a failure first, then what else was found, then what is well."""
    findings = [question(facts) for question in QUESTIONS]
    told = {one.what for finding in findings for one in finding.diagnoses}
    findings.append(reports(facts, told))
    failure = facts.view.failure if facts.view else None

    def rank(finding: Finding) -> tuple[bool, bool]:
        explains = failure is not None and any(one.what == failure.what for one in finding.diagnoses)
        return not explains, not finding.diagnoses

    return sorted(findings, key=rank)
