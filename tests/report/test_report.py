"""The report as a whole: whole, closed, honest, and the same again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bufsim import (
    Capacity,
    Deterministic,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    Producer,
    PushWorkers,
    Simulation,
)
from bufsim.report import answer as appendix
from bufsim.report import files, options
from bufsim.report.answer import answer_section, question_section
from bufsim.report.draft import Draft, Source
from bufsim.report.files import write_report
from bufsim.report.markup import Markup
from bufsim.report.options import options_section
from bufsim.report.page import page
from bufsim.studies.plan import PLANNED, Plan, PlanAnswer

VOID = {"meta", "br"}


class Outline(HTMLParser):
    """The elements of a page: which are open, and what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "xlink:href", "src"):
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "svg" not in self.open:
            self.text.append(data)


def outline(html: str) -> Outline:
    found = Outline()
    found.feed(html)
    found.close()
    return found


@pytest.fixture(scope="module")
def written(answer: PlanAnswer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    html = tmp_path_factory.mktemp("report") / "plan.html"
    text = '# <script>alert("x")</script>\n[plan]\nminimise = "mean_wait" # a < b\n'
    source = Source("plan.toml", text, "bufsim plan plan.toml", [("plan.toml", 3, "ab" * 32)])
    write_report(answer, html, source=source)
    return html


@pytest.fixture(scope="module")
def html(written: Path) -> str:
    return written.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_has_every_section_in_order(html: str) -> None:
    found = outline(html)
    assert found.open == []
    assert [one for one in found.ids if one.startswith("section-")] == [f"section-{part}" for part in "0123456789A"]
    for title in (
        *("Answer", "Question", "Load", "Options compared", "Why this one", "Headroom", "If it goes wrong"),
        *("Short list", "Evidence", "Limits of this report", "Appendix"),
    ):
        assert re.search(rf"<h2>. {{2}}{title}</h2>", html), title


def test_it_needs_nothing_from_outside_and_runs_no_script(html: str) -> None:
    found = outline(html)
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & set(found.tags)
    assert all(link.startswith(("#", "data:")) for link in found.links)
    assert "http" not in re.sub(r"data:[^\"]*", "", html)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_ids_are_unique_and_every_reference_is_there(html: str) -> None:
    found = outline(html)
    assert len(found.ids) == len(set(found.ids))
    references = {link[1:] for link in found.links if link.startswith("#")} | set(re.findall(r"url\(#([^)]*)\)", html))
    assert references <= set(found.ids)


def test_what_the_user_wrote_is_escaped(html: str) -> None:
    assert "<script>" not in html
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in html
    assert "Keys stay &lt;b&gt;as they are&lt;/b&gt; &amp; so do" in html
    assert "<h1>A plan of &lt;small&gt; &amp; large</h1>" in html
    assert "# a &lt; b" in html


def test_it_prints_on_a4(html: str) -> None:
    assert "@page { size: A4;" in html


def test_a_verdict_is_a_word_and_a_symbol_and_undecided_is_never_green(html: str) -> None:
    for word, symbol in (("pass", "✓"), ("fail", "✗")):
        assert f'<span class="verdict {word}">{symbol} {word}</span>' in html
    colours = dict(re.findall(r"\.verdict\.(\w+) \{ color: (#\w+);", html))
    assert set(colours) == {"pass", "fail", "undecided"}

    def is_green(colour: str) -> bool:
        channels = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        red, green, blue = (int(channels[at : at + 2], 16) for at in (0, 2, 4))
        return green > red and green > blue

    assert is_green(colours["pass"])
    assert not is_green(colours["undecided"])
    assert not is_green(colours["fail"])


def test_best_is_not_said_of_anything(html: str) -> None:
    # the sentences name the lowest cost "of those that do", and ties by name
    assert not re.search(r"\bbest\b", " ".join(outline(html).text))


def test_a_picture_of_a_single_run_says_so(html: str) -> None:
    titles = re.findall(r"<figcaption><b>([^<]*)</b>", html)
    of_runs = [title for title in titles if "replication" in title or title.startswith("One run")]
    assert len(of_runs) >= 5
    assert all(title.startswith("One run") for title in of_runs)


def test_every_table_of_numbers_says_n_or_exact(html: str) -> None:
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        if re.search(r"\d \[", table):
            caption = re.search(r"<caption>(.*?)</caption>", table)
            # the closed forms carry "exact" in their cells
            assert (caption and "n = " in caption.group(1)) or "exact" in table or "replications" in table


def test_what_may_go_wrong_is_told_also_where_it_was_not_looked_at(html: str) -> None:
    section = re.sub(r"<[^>]*>", "", html[html.index('id="section-6"') : html.index('id="section-7"')])
    assert "Workers twice as slow: service, each item and the time from poll to poll take twice as long." in section
    assert "Bursts twice as long: not looked at, because no arrivals are recorded or Bursty." in section
    assert "Half of the workers gone: not looked at, because no queue has more than one worker" in section


def test_what_piles_up_while_no_worker_runs_is_the_rate_of_the_flushes_as_planned(
    answer: PlanAnswer, written: Path, html: str
) -> None:
    table = pd.read_csv(written.with_suffix(".csv"))
    (row,) = table[table["subject"] == "all workers down"].itertuples()
    rate = answer.stressed.interval("enqueued_rate_per_s", PLANNED)
    assert (row.estimate, row.low) == pytest.approx((600.0 * rate.estimate, 600.0 * rate.low))
    assert "jobs in 10 min on average (n = 6), on top of those that wait already" in html


def test_the_unit_of_an_exact_number_stands_before_that_word() -> None:
    assert str(options.written("14.9 exact", "s")) == '<span class="estimate">14.9 s exact</span>'
    assert str(options.written("14.9 exact")) == '<span class="estimate">14.9 exact</span>'
    assert str(options.written("83 [74, 89]", "s")) == (
        '<span class="estimate">83</span> <span class="interval">[74, 89]</span> s'
    )


def test_what_an_assumption_does_not_move_is_said_in_words_and_has_no_row(written: Path) -> None:
    text = outline(written.read_text(encoding="utf-8")).text
    # a wait ends where the flush starts
    assert "Not moved in any of n = 6 replications: p95 wait by time of a flush, service time." in text
    assert "Not moved in any of n = 6 replications: peak buffer size by time of a flush, service time." in text
    table = pd.read_csv(written.with_suffix(".csv"))
    told = table[(table["section"] == "9 limits") & (table["quantity"] == "peak_buffer_size_jobs, difference")]
    assert [subject.rpartition(" ")[0] for subject in told["subject"]] == [
        "arrivals ÷",
        "arrivals \N{MULTIPLICATION SIGN}",
    ]


def test_the_second_look_is_on_fresh_replications(html: str) -> None:
    assert "(on 6 fresh replications)" in html
    assert "the choice on n = 6 fresh replications" in html


def test_another_process_and_other_settings_of_matplotlib_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    code = f"""
import matplotlib
matplotlib.rcParams.update({{"font.size": 20.0, "axes.grid": True, "svg.fonttype": "none"}})
from bufsim_tests.models import small_plan
from bufsim.report.draft import Source
from bufsim.report.files import write_report
text = open({str(written.with_suffix(".toml"))!r}, encoding="utf-8").read()
source = Source("plan.toml", text, "bufsim plan plan.toml", [("plan.toml", 3, "ab" * 32)])
write_report(small_plan().run(progress=False), {str(tmp_path / "plan.html")!r}, source=source)
"""
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=root,
        # the rest as it is here, or the kernel that is kept would not be found
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    for name in ("plan.html", "plan.json", "plan.csv", "plan.toml"):
        assert (tmp_path / name).read_bytes() == (written.parent / name).read_bytes(), name


def test_every_interval_on_the_page_is_in_the_csv(written: Path, html: str) -> None:
    table = pd.read_csv(written.with_suffix(".csv"))
    assert list(table.columns[:7]) == ["section", "subject", "quantity", "load", "estimate", "low", "high"]
    sections = set(table["section"])
    assert {"0 answer", "2 load", "3 options", "5 headroom", "6 if it goes wrong", "7 short list"} <= sections
    assert {"8 evidence", "9 limits", "all scenarios"} <= sections
    # all that was asked of every scenario, whatever the pictures show
    everything = table[table["section"] == "all scenarios"]
    assert everything["subject"].nunique() * everything["load"].nunique() == 6 * 3
    known = everything.dropna(subset=["estimate"])
    assert (known["low"] <= known["estimate"]).all()
    assert (known["n"] == 6).all()


def test_numbers_of_the_csv_are_those_of_the_study(answer: PlanAnswer, written: Path) -> None:
    table = pd.read_csv(written.with_suffix(".csv"))
    row = table[(table["section"] == "3 options") & (table["quantity"] == answer.plan.objective.name)]
    for one in row.itertuples():
        interval = answer.study.interval(answer.plan.objective, answer.scenario(one.subject))
        assert one.estimate == pytest.approx(interval.estimate, rel=1e-12)
        assert one.high == pytest.approx(interval.high, rel=1e-12)


def test_the_json_holds_the_whole_answer(answer: PlanAnswer, written: Path) -> None:
    found = json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))
    assert found["answer"]["choice"] == answer.favourite
    assert found["answer"]["sentences"] == answer.recommendation.sentences()
    assert found["question"]["limits"] == [str(limit) for limit in answer.plan.limits]
    assert len(found["options"]) == 6
    assert len(found["numbers"]) == len(pd.read_csv(written.with_suffix(".csv")))
    assert {"pareto", "map", "differences-today", "arrivals", "loss", "size-1", "warm-up"} <= set(found["figures"])
    assert found["inputs"] == [["plan.toml", 3, "ab" * 32]]
    assert found["versions"][0]["bufsim"]


def test_the_plan_is_copied_as_it_is(written: Path) -> None:
    assert written.with_suffix(".toml").read_text(encoding="utf-8").startswith('# <script>alert("x")</script>\n[plan]')


def test_without_a_file_the_plan_is_shown_as_it_was_made(answer: PlanAnswer) -> None:
    html = appendix.appendix_section(Draft(answer))
    assert "The plan was made in Python:" in html
    assert "replications = 6" in html


def test_without_a_choice_the_report_says_so_and_shows_the_nearest(hopeless: PlanAnswer) -> None:
    draft = Draft(hopeless)
    html = str(page(draft))
    assert outline(html).open == []
    assert '<p class="headline">No policy qualifies.</p>' in html
    assert "Nearest is" in html
    assert "No headroom was looked for, because no policy qualifies." in html
    assert 'class="settings"' not in html
    assert "No policy passes; what is undecided counts as not kept." in html


def test_files_go_into_a_folder_that_is_made_and_leave_nothing_where_they_fail(
    answer: PlanAnswer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "page", lambda draft: Markup("<p>short</p>"))
    paths = write_report(answer, tmp_path / "deep" / "plan.html")
    assert [path.name for path in paths] == ["plan.html", "plan.json", "plan.csv"]

    def fail(path: Path, text: str, **others: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="No space left"):
        write_report(answer, tmp_path / "other" / "plan.html")
    assert list((tmp_path / "other").iterdir()) == []


def test_a_loss_is_in_the_answer_among_the_options_and_in_the_question(answer: PlanAnswer) -> None:
    model = answer.plan.simulation
    full = replace(model, buffers=[replace(buffer, capacity=Capacity(jobs=15)) for buffer in model.buffers])
    asked: dict[str, Any] = {"limits": ["mean_wait <= 4s"], "loads": [1, 2], "replications": 3, "seed": 4}
    asked |= {"policies": [FlushAtSize(10) | FlushAfterAge(1.0)], "minimise": "flush_rate"}
    draft = Draft(Plan(full, **asked).run(progress=False))
    first, question, compared = (str(part(draft)) for part in (answer_section, question_section, options_section))
    assert draft.answer.favourite == repr(asked["policies"][0])
    assert "lost, both on the study" in first
    assert "Lose jobs, and so do not qualify: size 20 | age 2 s (" in first
    assert "neither prices, limits nor allows it, so that a policy that loses jobs does not qualify" in question
    assert "lost, %" in compared
    assert "Waits are those of the survivors" in compared
    table = draft.numbers.table()
    lost = table[table["quantity"] == "lost_share"].set_index(["section", "subject"])["estimate"]
    for section in ("0 answer", "3 options"):
        assert lost[section, repr(answer.plan.today)].item() > 0.1
        assert lost[section, draft.answer.favourite].item() == 0.0
    assert "lost_share" in {one.name for one in draft.answer.sensitivity.base}
    allowed = Draft(replace(draft.answer, plan=Plan(full, allow_loss=True, **asked)))
    assert "the plan allows it: a policy qualifies whatever it loses" in str(question_section(allowed))


def test_a_model_that_cannot_lose_shows_no_loss(answer: PlanAnswer) -> None:
    draft = Draft(answer)
    for part in (answer_section, question_section, options_section):
        assert "lost" not in str(part(draft))


def test_a_report_of_what_else_is_varied_says_it_in_the_answer_and_in_the_question() -> None:
    model = Simulation(
        producers=[Producer("p", Deterministic(1.0))],
        buffers=[JobBuffer("b", policy=FlushEvery(5.0), capacity=Capacity(jobs=3))],
        workers=[PushWorkers(1, service=0.8)],
        until=100.5,
    )
    vary = {"capacity": [Capacity(jobs=20), None], "concurrency": [1, 2]}
    plan = Plan(model, vary=vary, minimise="utilisation", replications=2, seed=1)
    draft = Draft(plan.run(progress=False, engine="simpy"))
    told = str(answer_section(draft))
    assert "Flush every 5 s, with capacity 20 jobs, concurrency 2" in told
    assert "<code>Capacity(jobs=20)</code>" in told
    assert "capacity 3 jobs (today), capacity 20 jobs, no capacity." in str(question_section(draft))
    page_of = str(page(draft))
    assert "6 options, 1 loads, 2 replications each" in page_of
    assert "All with capacity 20 jobs, concurrency 2." not in page_of  # no map of one policy
    numbers = files.numbers(draft).query("section == 'all scenarios' and quantity == 'lost_share'")
    assert numbers["subject"].nunique() == 6


def test_a_stress_test_that_loses_jobs_says_whose_waits_it_shows(html: str) -> None:
    (table,) = (table for table in re.findall(r"<table.*?</table>", html, re.DOTALL) if "something goes wrong" in table)
    assert "a stop of 10 s in the middle" in table
    assert "where jobs are lost, waits are those of the survivors" in table
