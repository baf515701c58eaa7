from __future__ import annotations

from bufsim_tests.studies_small import declare

from bufsim import FlushAfterAge, FlushAtSize, FlushEvery, NeverFlush
from bufsim.studies.study import Study


def warned(**policies):
    scenarios = {name: declare(policy, until=64.0, warm_up=10.0) for name, policy in policies.items()}
    return Study(scenarios, seed=3).run(4, progress=False).warnings()


def test_a_study_without_a_doubt_warns_of_nothing():
    assert warned(fine=FlushAtSize(10) | FlushAfterAge(1.0)) == []


def test_each_warning_names_its_scenario_and_in_how_many_replications_it_was_seen():
    found = warned(rising=NeverFlush(), clock=FlushEvery(10.0), left=FlushAtSize(7))
    kinds = {sentence.split(": ")[0]: sentence for sentence in found}
    assert any(one.startswith("warm-up: rising, jobs in buffers: the level was still rising") for one in found)
    assert kinds["cut period"].startswith("cut period: clock: FlushEvery(10.0) has ")
    assert kinds["never due"].startswith("never due: left: FlushAtSize(7) alone: ")
    assert "of 4 replications)" in kinds["never due"]


def test_a_scenario_that_failed_is_not_judged():
    from bufsim_tests.studies_small import Failing

    scenarios = {"fails": declare(Failing()), "fine": declare(FlushAtSize(10) | FlushAfterAge(1.0), until=64.0)}
    result = Study(scenarios, seed=3).run(3, progress=False)
    assert not any("fails" in sentence for sentence in result.warnings())
