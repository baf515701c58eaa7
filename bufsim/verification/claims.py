"""The claims that bufsim makes of itself, and the check of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bufsim.verification import models, replays
from bufsim.verification.findings import Extent, Finding

Check = Callable[[Extent], Finding]


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that can be checked.

    Parameters
    ----------
    subject : str
        What it is about.
    check : callable
        Checks it.
    """

    subject: str
    check: Check

    def finding(self, extent: Extent) -> Finding:
        """Outcome of the check; a check that breaks down fails, and says how."""
        try:
            return self.check(extent)
        except Exception as error:
            return Finding(self.subject, f"{type(error).__name__}: {error}", "FAILS")


CLAIMS = (
    Claim(replays.RECORDED, replays.check_recorded),
    Claim(replays.SERVER_TRACE, replays.check_server_trace),
    Claim(models.TWO_ENGINES, models.check_two_engines),
    Claim(models.CONSERVATION, models.check_conservation),
    Claim(models.CLOSED_FORMS, models.check_closed_forms),
    Claim(models.COVERAGE, models.check_coverage),
)


def findings(extent: Extent) -> Iterator[Finding]:
    """Yield what each check finds, one after the other."""
    for claim in CLAIMS:
        yield claim.finding(extent)
