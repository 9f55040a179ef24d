"""What the gateway asks of a source of samples."""

from typing import Protocol

from edge.acquire.arrivals import LinkStatus
from edge.acquire.mailbox import Mailbox


class Source(Protocol):
    """A wearable, real, virtual or replayed."""

    @property
    def name(self) -> str:
        """Beginning of the recordings' ids."""

    @property
    def status(self) -> LinkStatus:
        """How the link stands."""

    def present_s(self) -> float | None:
        """The present moment as its recording counts it, seconds since the Unix epoch; None where it is no live one."""

    async def run(self, mail: Mailbox) -> None:
        """Deliver into the mailbox until the source ends or the task is cancelled."""
