"""The order of events at one instant, declared once: (time, rank, index).

The SimPy engine packs rank and index into SimPy's priority; the compiled engine takes its branches in this order.
Events of a user's own processes have SimPy's own priorities, 0 and 1, and so come before the model's at one instant.

====  =============================  ==================================================
rank  event                          index
====  =============================  ==================================================
1     stop or restart of the server  stop k: 2k, its restart: 2k + 1
2     flush end                      order of the buffers
3     arrival                        job number (producers in their order at one instant)
4     flush due                      order of the buffers
5     service end, end of back-off   work id
6     poll, service start            order of the queues
====  =============================  ==================================================
"""

from __future__ import annotations

STOP = 1
FLUSH_END = 2
ARRIVAL = 3
FLUSH_DUE = 4
SERVICE_END = 5
START = 6

_INDICES = 2**32


def priority(rank: int, index: int) -> int:
    """Return SimPy's priority of an event: rank·2³² + index."""
    return rank * _INDICES + index
