"""The result of one check: passed, a warning or a failure, with the figure and what to do."""

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["pass", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    check: str
    """Name of the check, such as ``initial loss``."""
    status: Status
    text: str
    """What was measured, on what, and what is expected."""
    advice: str = ""
    """What to do; empty if the check passed."""
    figures: dict[str, Any] = field(default_factory=dict)
    """The numbers in ``text``."""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {
            "check": self.check,
            "status": self.status,
            "text": self.text,
            "advice": self.advice or None,
            "figures": self.figures,
        }


def status_of(warns: bool, fails: bool) -> Status:
    """Return the status of a check with two limits."""
    return "fail" if fails else "warn" if warns else "pass"


def finding(check: str, status: Status, text: str, advice: str, **figures: Any) -> Finding:
    """Return a finding; the advice is dropped if the check passed."""
    return Finding(check, status, text, "" if status == "pass" else advice, figures)
