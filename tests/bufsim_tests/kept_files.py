"""Files as bufsim has written them: `python -m bufsim_tests.kept_files` adds those of the present formats to the data.

Each holds the worked example of `bufsim_tests.models`, whose numbers are known by hand.
"""

from __future__ import annotations

from pathlib import Path

from bufsim.results.files import FORMAT
from bufsim.studies.store import Key, Store, layout
from bufsim_tests.models import worked_run

FOLDER = Path(__file__).parents[1] / "data" / "formats"
STORE, RESULT = FOLDER / f"store-{layout()}.sqlite", FOLDER / f"result-{FORMAT}.zip"
KEY = Key("the worked example", "simpy", 7)
ADD = "if the format has changed on purpose, add a file of it: python -m bufsim_tests.kept_files"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    if not RESULT.exists():
        worked_run().save(RESULT)
    if not STORE.exists():
        with Store(STORE) as store:
            store.write([(KEY, 3, worked_run().tally)])


if __name__ == "__main__":
    main()
