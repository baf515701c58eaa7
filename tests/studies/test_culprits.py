from __future__ import annotations

import pytest
from bufsim_tests.studies_small import declare

from bufsim.studies.running import culprit


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ([1, -2, 3], "it[1], which is -2"),
        ({"a": (1, {"b": -7})}, "it['a'][1]['b'], which is -7"),
        (-1, "it, which is -1"),
    ],
)
def test_the_innermost_part_that_is_bad_is_named_by_its_place(value, name):
    assert culprit(value, "it", lambda part: "-" in repr(part)) == name


def test_parts_of_a_simulation_are_its_fields():
    simulation = declare(rate=3.0)
    found = culprit(simulation, "simulation", lambda part: "3.0" in repr(part))
    assert found == "simulation.producers[0].arrivals.rate, which is 3.0"


def test_a_function_is_named_by_its_name_and_a_whole_that_is_bad_though_its_parts_are_not_is_itself():
    assert culprit([len], "it", callable) == "it[0], which is the function len"
    assert culprit([len], "it", lambda part: part == [len]) == "it, which is [<built-in function len>]"
