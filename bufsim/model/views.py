"""What a flush policy sees of a buffer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BufferView:
    """A non-empty buffer as it stands, as a flush policy sees it.

    Parameters
    ----------
    now : float
        The time of the question, s.
    size : int
        Jobs in the buffer.
    nbytes : int
        Their bytes.
    oldest_at, newest_at : float
        Arrival of the oldest and of the newest job in the buffer, s.
    last_flush_start, last_flush_end : float
        Start and end of this buffer's last flush, s; −inf before the first, and after a restart of the server.

    Examples
    --------
    >>> BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0).age
    4.0
    """

    now: float
    size: int
    nbytes: int
    oldest_at: float
    newest_at: float
    last_flush_start: float = float("-inf")
    last_flush_end: float = float("-inf")

    @property
    def age(self) -> float:
        """The wait so far of the oldest job, s."""
        return self.now - self.oldest_at
