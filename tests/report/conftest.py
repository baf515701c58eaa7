"""Small answered plans: one with a choice, one without."""

from __future__ import annotations

import pytest
from bufsim_tests.models import small_plan

from bufsim.report.draft import Source
from bufsim.studies.plan import PlanAnswer


@pytest.fixture(scope="session")
def answer() -> PlanAnswer:
    return small_plan().run(progress=False)


@pytest.fixture(scope="session")
def hopeless() -> PlanAnswer:
    return small_plan(limits=["mean_wait <= 1ms", "peak_buffer_size <= 40"], loads=[1], load=1).run(progress=False)


@pytest.fixture
def source() -> Source:
    text = '# <script>alert("x")</script>\n[plan]\nminimise = "mean_wait" # a < b\n\n[other]\nkey = 1\n'
    return Source("plan.toml", text, "bufsim plan plan.toml -o plan.html --seed 4", [("plan.toml", 6, "ab" * 32)])
