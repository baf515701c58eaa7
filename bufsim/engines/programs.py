"""Flush policies as programs for the kernel's stack machine, so that a new policy compiles nothing new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bufsim.engines import kernel_state as ks
from bufsim.model import cron, flush_policy, policies

_EVERY = {"clock": ks.EVERY, "flush_start": ks.EVERY_START, "flush_end": ks.EVERY_END}


class Program:
    """Policies as programs for the kernel's stack machine: one row an operation, in postfix order."""

    def __init__(self, causes: Sequence[str], until: float) -> None:
        self.rows: list[tuple[int, float, float, int, int, int]] = []
        self.times: list[float] = []
        self._causes = {name: number for number, name in enumerate(causes)}
        self._until = until

    def add(self, policy: flush_policy.FlushPolicy) -> None:
        """Append the operations of a policy."""
        POLICIES[type(policy)](self, policy)

    def leaf(self, policy: object, op: int, *, real: float = 0.0, phase: float = 0.0, whole: int = 0) -> None:
        """Append a leaf."""
        self.rows.append((op, real, phase, whole, 0, self._causes[repr(policy)]))

    def at(self, policy: object, times: Sequence[float]) -> None:
        """Append a leaf with given times."""
        first = len(self.times)
        self.times.extend(times)
        self.rows.append((ks.TIMES, 0.0, 0.0, first, len(self.times), self._causes[repr(policy)]))

    def join(self, members: Sequence[flush_policy.FlushPolicy], op: int) -> None:
        """Append the members, joined from the left."""
        for number, member in enumerate(members):
            self.add(member)
            if number > 0:
                self.rows.append((op, 0.0, 0.0, 0, 0, -1))

    def grid(self, policy: flush_policy.CheckedEvery) -> None:
        """Append a grid and what is looked at on it."""
        self.add(policy.policy)
        self.rows.append((ks.CHECKED, policy.period, policy.phase, 0, 0, -1))

    def ticks(self, policy: flush_policy.FlushPolicy) -> tuple[int, int]:
        """Append the tick rules of a policy, each once; return where they begin and end."""
        first = len(self.rows)
        for leaf in dict.fromkeys(tick_leaves(policy)):
            if isinstance(leaf, flush_policy.CheckedEvery):
                self.rows.append((ks.EVERY, leaf.period, leaf.phase, 0, 0, -1))
            else:
                self.add(leaf)
        return first, len(self.rows)

    def cron(self, policy: cron.FlushCron) -> None:
        """Append the times of a cron expression within the run."""
        self.at(policy, policy.times(self._until))


POLICIES = {
    policies.FlushAtSize: lambda program, leaf: program.leaf(leaf, ks.SIZE, whole=leaf.size),
    policies.FlushAtBytes: lambda program, leaf: program.leaf(leaf, ks.BYTES, whole=leaf.nbytes),
    policies.FlushAfterAge: lambda program, leaf: program.leaf(leaf, ks.AGE, real=leaf.age),
    policies.FlushWhenIdle: lambda program, leaf: program.leaf(leaf, ks.IDLE, real=leaf.idle),
    policies.FlushEvery: lambda program, leaf: program.leaf(
        leaf, _EVERY[leaf.anchor], real=leaf.period, phase=leaf.phase
    ),
    policies.FlushAt: lambda program, leaf: program.at(leaf, leaf.times),
    policies.NeverFlush: lambda program, leaf: program.leaf(leaf, ks.NEVER),
    cron.FlushCron: Program.cron,
    flush_policy.AnyOf: lambda program, policy: program.join(policy.members, ks.ANY),
    flush_policy.AllOf: lambda program, policy: program.join(policy.members, ks.ALL),
    flush_policy.CheckedEvery: Program.grid,
}


def tick_leaves(policy: flush_policy.FlushPolicy) -> Iterator[flush_policy.FlushPolicy]:
    """Yield the tick rules of a policy; a `checked_every` stands in place of any under it."""
    if isinstance(policy, flush_policy.AnyOf | flush_policy.AllOf):
        for member in policy.members:
            yield from tick_leaves(member)
    elif isinstance(policy, policies.FlushEvery | policies.FlushAt | cron.FlushCron | flush_policy.CheckedEvery):
        yield policy
