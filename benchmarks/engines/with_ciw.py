"""Ciw: the buffer is a node whose service is slotted, so that all its customers leave every 5 s."""

from __future__ import annotations

import math

import ciw
import numpy as np

from benchmarks.engines import Run
from benchmarks.outcome import Outcome
from benchmarks.works import PERIOD, WORKERS, Numbers, Work

BUFFER, QUEUE = 1, 2


def prepare(work: Work, numbers: Numbers) -> Run:
    gaps, services = [*numbers.gaps.tolist(), math.inf], numbers.services.tolist()

    def run():
        network = served(gaps, services) if work.served else buffered(gaps)
        simulation = ciw.Simulation(network, tracker=ciw.trackers.NodePopulation())
        simulation.simulate_until_max_time(numbers.until)
        records = simulation.get_all_records()
        return lambda: outcome(simulation, records)

    return run


def buffered(gaps: list[float]) -> ciw.network.Network:
    """Return the buffer alone."""
    return ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential(gaps)],
        service_distributions=[ciw.dists.Deterministic(0.0)],
        number_of_servers=[slotted()],
    )


def served(gaps: list[float], services: list[float]) -> ciw.network.Network:
    """Return the buffer, and a node with 4 servers behind it."""
    return ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential(gaps), None],
        service_distributions=[ciw.dists.Deterministic(0.0), ciw.dists.Sequential(services)],
        number_of_servers=[slotted(), WORKERS],
        routing=[[0.0, 1.0], [0.0, 0.0]],
    )


def slotted() -> ciw.Slotted:
    """Return slots every 5 s, with room for all."""
    return ciw.Slotted(slots=[PERIOD], slot_sizes=[10**9])


def outcome(simulation: ciw.Simulation, records: list) -> Outcome:
    """Return what came out; of one batch Ciw lets the customers go on in random order, so only sorted times compare."""
    starts = np.array([(r.arrival_date, r.service_start_date) for r in records if r.node == BUFFER])
    finishes = [r.exit_date for r in records if r.node == QUEUE]
    arrived, left = starts[np.argsort(starts[:, 0])].T
    times, sizes = np.array([(time, population[0]) for time, population in simulation.statetracker.history]).T
    # the other node's changes are in the history too
    changed = np.flatnonzero(np.diff(sizes)) + 1
    return Outcome(
        times[changed],
        sizes[changed],
        np.unique(left, return_counts=True)[1],
        left - arrived,
        (),
        np.sort(finishes),
    )
