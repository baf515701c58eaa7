from __future__ import annotations

import math
import pickle
from dataclasses import replace

import pytest

import bufsim
from bufsim import (
    Bulk,
    CollectQueues,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Storage,
    Trace,
)

EMAILS = Producer("mailer", Poisson(10.0), queue="email")
EDITS = Producer("edits", Poisson(100.0), queue="index")
ALL = JobBuffer("all", policy=FlushEvery(5.0))


def declare(**options: object) -> Simulation:
    return Simulation(**{"producers": [EMAILS, EDITS], "buffers": [ALL], "until": 60.0, **options})  # type: ignore[arg-type]


def test_lists_become_tuples_and_one_value_needs_no_list() -> None:
    one = Simulation(producers=EMAILS, buffers=ALL, workers=PushWorkers(), until="1min")  # type: ignore[arg-type]
    assert one.producers == (EMAILS,)
    assert one.buffers == (ALL,)
    assert one.workers == (PushWorkers(),)
    assert one.until == 60.0


def test_the_defaults_are_volatile_storage_a_durable_queue_and_no_stops() -> None:
    simulation = declare()
    assert simulation.workers == ()
    assert simulation.warm_up == 0.0
    assert simulation.storage == Storage()
    assert not simulation.storage.durable
    assert simulation.durable_queue is True
    assert simulation.stops is None


def test_queues_are_those_of_the_producers_in_their_order() -> None:
    assert declare().queues == ("email", "index")
    traced = Producer("log", Trace([0.0, 1.0, 2.0], queues=["b", "a", "b"]))
    assert declare(producers=[traced, EMAILS]).queues == ("b", "a", "email")
    assert declare(producers=[Producer("p", Poisson(1.0))]).queues == ("default",)


def test_a_queue_is_served_by_its_own_workers_else_by_those_without_a_queue() -> None:
    own, others = PushWorkers(1, queue="email"), PollingWorkers()
    simulation = declare(workers=[own, others])
    assert simulation.workers_of("email") == own
    assert simulation.workers_of("index") == others
    assert declare(workers=[own]).workers_of("index") is None


FULL = declare(
    buffers=[JobBuffer("emails", policy=FlushAtSize(9) | FlushAfterAge(2.0), collect="email"), ALL],
    workers=[PushWorkers(2, queue="email"), PollingWorkers()],
    warm_up="10s",
    storage=Storage(durable=True),
    durable_queue=False,
    stops=Stops(at=[30.0], downtime=5.0),
)


OF_ITS_OWN = declare(
    buffers=[JobBuffer("emails", policy=FlushAtSize(9), collect="email", storage=Storage(durable=True)), ALL],
    storage=Storage(read_delete_window="30ms"),
    durable_queue=["index"],
    stops=Stops(at=[30.0]),
)


@pytest.mark.parametrize("simulation", [declare(), FULL, OF_ITS_OWN])
def test_a_simulation_is_a_value(simulation: Simulation) -> None:
    again = pickle.loads(pickle.dumps(simulation))
    assert again == simulation
    assert hash(again) == hash(simulation)
    assert eval(repr(simulation), vars(bufsim)) == simulation
    with pytest.raises(AttributeError):
        simulation.until = 5.0  # type: ignore[misc]
    assert not hasattr(simulation, "__dict__")


def test_a_buffer_without_a_storage_of_its_own_has_that_of_the_simulation() -> None:
    emails, everything = OF_ITS_OWN.buffers
    assert OF_ITS_OWN.storage_of(emails) == Storage(durable=True)
    assert OF_ITS_OWN.storage_of(everything) == Storage(read_delete_window=0.03)


@pytest.mark.parametrize(
    ("given", "held", "durable"),
    [
        (True, True, ["email", "index"]),
        (False, False, []),
        ("index", ("index",), ["index"]),
        (["index", "email"], ("index", "email"), ["email", "index"]),
        (iter(["email"]), ("email",), ["email"]),
    ],
)
def test_queues_are_durable_all_none_or_by_name(given: object, held: object, durable: list[str]) -> None:
    simulation = declare(durable_queue=given)
    assert simulation.durable_queue == held
    assert [queue for queue in simulation.queues if simulation.is_durable(queue)] == durable


def test_queues_are_durable_that_a_reduce_of_the_users_own_may_name() -> None:
    own = JobBuffer("own", policy=NeverFlush(), reduce=list)
    assert declare(buffers=[own], durable_queue=["elsewhere"]).is_durable("elsewhere")


def test_a_collect_of_the_users_own_may_take_anything() -> None:
    own = JobBuffer("own", policy=NeverFlush(), collect=lambda job: job.nbytes > 10)
    assert declare(buffers=[own]).buffers == (own,)


def test_a_reduce_of_the_users_own_may_name_other_queues() -> None:
    own = JobBuffer("own", policy=NeverFlush(), reduce=list)
    assert declare(buffers=[own], workers=[PushWorkers(queue="elsewhere")]).workers_of("elsewhere") is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"until": 0}, "until must be > 0, got 0.0"),
        ({"until": -5}, "until must be > 0, got -5.0"),
        ({"until": math.nan}, "until must be finite, got nan"),
        ({"until": math.inf}, "until must be finite, got inf"),
        ({"until": "1 fortnight"}, "until has the unknown unit 'fortnight' in '1 fortnight'"),
        ({"warm_up": -1}, "warm_up must be >= 0, got -1.0"),
        ({"warm_up": 60}, "warm_up must be < until, got warm_up=60.0, until=60.0"),
        ({"warm_up": 61}, "warm_up must be < until, got warm_up=61.0, until=60.0"),
        ({"durable_queue": []}, "durable_queue must not be empty; where no queue is durable it is False"),
        ({"durable_queue": ["email", "email"]}, "durable_queue must be unique, got 'email' twice; rename one"),
        (
            {"durable_queue": ["email", "indx"]},
            "durable_queue must be True, False, or name queues of the producers, which are 'email', 'index', "
            "got 'indx'; did you mean 'index'?",
        ),
        (
            {"producers": []},
            "producers must not be empty; give at least one, such as [Producer('edits', Poisson(100.0))]",
        ),
        (
            {"buffers": []},
            "buffers must not be empty; give at least one, such as [JobBuffer('search', policy=FlushEvery(5.0))]",
        ),
        ({"producers": [EMAILS, EMAILS]}, "names of producers must be unique, got 'mailer' twice; rename one"),
        ({"buffers": [ALL, ALL]}, "ids of buffers must be unique, got 'all' twice; rename one"),
        (
            {"workers": [PushWorkers(queue="email"), PollingWorkers(queue="email")]},
            "queues of workers must be unique, got 'email' twice; rename one",
        ),
        (
            {"workers": [PushWorkers(), PollingWorkers()]},
            "workers without a queue serve every queue that has none of its own, got 2 of them; "
            "name the queue of all but one",
        ),
        (
            {"workers": [PushWorkers(queue="emial")]},
            "queue of workers must be one of 'email', 'index', got 'emial'; did you mean 'email'?",
        ),
        (
            {"buffers": [JobBuffer("b", policy=NeverFlush(), collect=CollectQueues(["emial", "x"]))]},
            "buffer 'b' collects with CollectQueues(('emial', 'x')), which no producer's queue meets; "
            "the queues are 'email', 'index'",
        ),
        (
            {"buffers": [JobBuffer("b", policy=FlushEvery(60 * 2.0**-51))]},
            "period of FlushEvery(2.6645352591003757e-14) must be at least until·2⁻⁵⁰, 5.3290705182007514e-14 s, "
            "so that ticks are different times, got 2.6645352591003757e-14",
        ),
        (
            {"buffers": [JobBuffer("b", policy=NeverFlush() | FlushAtSize(3).checked_every(1e-15))]},
            "period of FlushAtSize(3).checked_every(1e-15) must be at least until·2⁻⁵⁰, ",
        ),
        (
            {"workers": [PollingWorkers(poll_interval=1e-15)]},
            "poll_interval of PollingWorkers(poll_interval=1e-15) must be at least until·2⁻⁵⁰, ",
        ),
    ],
)
def test_wrong_values_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        declare(**options)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"producers": 5}, "producers must be a list such as [Producer('edits', Poisson(100.0))], got 5"),
        ({"producers": [Poisson(5.0)]}, "producers must be a list such as [Producer('edits', Poisson(100.0))], got ["),
        ({"buffers": [FlushEvery(5.0)]}, "buffers must be a list such as [JobBuffer('search', policy=FlushEvery(5.0"),
        ({"workers": [3]}, "workers must be a list such as [PushWorkers(3)], got [3]"),
        ({"storage": "sql"}, "storage must be a Storage, such as Storage(durable=True), got 'sql'"),
        ({"stops": 5.0}, "stops must be a Stops, such as Stops(at=[3600.0]), or None, got 5.0"),
        ({"durable_queue": 1}, "durable_queue must be True, False, or the names of the queues that are durable, got 1"),
        ({"durable_queue": [1]}, "durable_queue must be a str, got 1"),
        ({"until": [60]}, "until must be a number, got [60]"),
    ],
)
def test_wrong_types_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidTypeError) as raised:
        declare(**options)
    assert str(raised.value).startswith(message)


def test_the_smallest_period_that_tells_ticks_apart_is_allowed() -> None:
    assert declare(buffers=[JobBuffer("b", policy=FlushEvery(60 * 2.0**-50))]).until == 60.0


LOG = Producer("log", Trace([1.0, 2.0, 3.5]))


def test_a_run_of_recorded_arrivals_ends_by_itself_with_its_last_job_in_it() -> None:
    simulation = Simulation(producers=[LOG], buffers=[ALL])
    assert simulation.until == math.nextafter(3.5, 4.0)
    assert simulation.run(seed=1).metric("arrivals_jobs") == 3
    # what happens at until does not happen: one double less, and the last job does not come
    assert Simulation(producers=[LOG], buffers=[ALL], until=3.5).run(seed=1).metric("arrivals_jobs") == 2
    assert Simulation(producers=[Producer("log", Trace([1.0], length="1min"))], buffers=[ALL]).until == 60.0
    assert Simulation(producers=[LOG.scaled(3)], buffers=[ALL]).run(seed=1).metric("arrivals_jobs") == 9
    assert Simulation(producers=[Producer("p", Bulk(Trace([1.0, 4.0]), 2))], buffers=[ALL]).until > 4.0


def test_other_recordings_end_the_run_anew_unless_its_end_was_given() -> None:
    longer = [Producer("log", Trace([1.0, 2.0, 7.5]))]
    derived, given = Simulation(producers=[LOG], buffers=[ALL]), Simulation(producers=[LOG], buffers=[ALL], until=3.75)
    assert replace(derived, producers=longer).until == math.nextafter(7.5, 8.0)
    assert replace(pickle.loads(pickle.dumps(derived)), producers=longer).until == math.nextafter(7.5, 8.0)
    assert replace(derived.with_policy(FlushAtSize(2)), producers=longer).until == math.nextafter(7.5, 8.0)
    assert replace(derived, producers=longer).run(seed=1, engine="compiled").metric("arrivals_jobs") == 3
    assert replace(given, producers=longer).until == 3.75
    # drawn arrivals come for as long as the recording did
    assert replace(derived, producers=[EMAILS]).until == derived.until
    assert replace(derived, until=9.0, producers=longer).until == 9.0


def test_the_end_of_a_recording_is_exact_in_code_and_short_for_people() -> None:
    simulation = Simulation(producers=[LOG], buffers=[ALL])
    assert "until=3.5000000000000004" in repr(simulation)
    with pytest.raises(InvalidValueError, match=r"^warm_up must be < until, got warm_up=4\.0, until=3\.5$"):
        replace(simulation, warm_up=4.0)


def test_the_longest_of_several_recordings_ends_the_run() -> None:
    others = [Producer("short", Trace([0.5])), LOG, Producer("known", Trace([2.0], length=9))]
    assert Simulation(producers=others[:2], buffers=[ALL]).until == math.nextafter(3.5, 4.0)
    assert Simulation(producers=others, buffers=[ALL]).until == 9.0


@pytest.mark.parametrize(
    ("producers", "message"),
    [
        (
            [LOG, EMAILS],
            "until must be given, since the arrivals of producer 'mailer' are no recording that ends, got "
            "Poisson(10.0); only where all are recorded it can be left out",
        ),
        ([Producer("p", Trace([0.0, 0.0]))], "until must be given, since all jobs of producer 'p' are recorded at 0 s"),
        (
            [Producer("p", Trace([1760000000.0, 1760000007.0]))],
            "until must be given, since the jobs of producer 'p' are recorded from 1760000000 s to 1760000007 s: "
            "nearly all of the run would be empty; where the times count from another moment, read "
            "them with origin='first'",
        ),
    ],
)
def test_where_arrivals_do_not_end_the_run_it_must_be_told(producers: list[Producer], message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        Simulation(producers=producers, buffers=[ALL])
    assert str(raised.value) == message
