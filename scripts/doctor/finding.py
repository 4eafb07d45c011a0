"""What the doctor says: findings, each with its evidence and what to do."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING = "ok", "warning"


@dataclass(frozen=True)
class Finding:
    """Something that was looked at.

    Attributes:
        topic: What.
        verdict: ok or warning.
        evidence: What was seen.
        advice: What to do; empty if nothing.
    """

    topic: str
    verdict: str
    evidence: str
    advice: str = ""

    def lines(self) -> list[str]:
        """Return it as text for people."""
        text = [f"{self.verdict:<8}{self.topic}: {self.evidence}"]
        return [*text, f"{'':<8}-> {self.advice}"] if self.advice else text
