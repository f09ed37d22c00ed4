"""What the demo claims, and whether it was checked.

Invariant: the demo succeeds only if every claim was checked and held; one that was never reached fails it
as well as one that was found wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Claim(Enum):
    """Everything the demo shows, in the order it is told."""

    READY = "the three objects are Ready"
    CHART_THEN_OVERLAY = "the overlay is applied on top of the chart, and rolled out"
    HISTORY = "`helm list` and `helm history` know the release"
    RIGHTS = "what the AppRelease made, it made as its namespace's own account"
    SECRET = "the Secret equals the value in AWS"
    THUMBNAILS = "each picture has a thumbnail"
    ONE_SUBMISSION = "the work was submitted to AWS Batch once"
    ROTATED = "after a rotation in AWS the Secret follows"
    ONE_RESTART = "the Deployment restarts for it exactly once"
    CORRECTED = "a change by hand is put back"
    PIPELINE = "pictures that are uploaded go through the pipeline, and bad ones are moved aside"
    NOTIFIED = "the end of the pipeline is told once"
    NO_VALUE_SHOWN = "no secret value is in the log, in a status or in an Event"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    holds: bool
    evidence: str


class Ledger:
    """The claims, and what was found about each."""

    def __init__(self) -> None:
        self._findings: dict[Claim, Finding] = {}

    def settle(self, claim: Claim, holds: bool, evidence: str) -> None:
        """Writes a check down. Once found wrong, a claim stays wrong."""
        before = self._findings.get(claim)
        if before is None or before.holds:
            self._findings[claim] = Finding(holds, evidence)

    @property
    def findings(self) -> Mapping[Claim, Finding | None]:
        """Every claim; None for those nobody checked."""
        return {claim: self._findings.get(claim) for claim in Claim}

    @property
    def holds(self) -> bool:
        """Whether every claim was checked and held."""
        return all(finding is not None and finding.holds for finding in self.findings.values())
