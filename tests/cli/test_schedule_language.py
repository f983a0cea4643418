"""docs/schedule-files.md: every example on the page, run."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from lrkeeper.cli.forms import canonical
from lrkeeper.schedules import codec
from lrkeeper.schedules.shape import UnknownKind
from tests.cli.conftest import Cli

PAGE = (Path(__file__).parents[2] / "docs" / "schedule-files.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(yaml|console)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
TEXTS = [text for kind, text in BLOCKS if kind == "yaml"]
FILES = {match[1]: text for text in TEXTS if (match := re.match(r"# (\S+\.yaml)\n", text))}
PAIRS = re.findall(r"^```yaml\n([^`]*?)^```\nmeans\n```yaml\n([^`]*?)^```$", PAGE, re.MULTILINE)
CONSOLE = [
    re.fullmatch(r"\$ lrkeeper (.*?)\n(.*)", text, re.DOTALL) for kind, text in BLOCKS if kind == "console"
]


def test_the_page_has_examples_of_all_sorts() -> None:
    assert len(TEXTS) > 12
    assert len(PAIRS) == PAGE.count("\nmeans\n") > 4
    assert len(CONSOLE) == 3


@pytest.mark.parametrize("text", TEXTS)
def test_an_example_is_a_definition(text: str) -> None:
    if text != FILES["wrong.yaml"]:
        found = canonical(yaml.safe_load(text))
        assert canonical(found) == found
        with suppress(UnknownKind):
            codec.from_dict(found)


@pytest.mark.parametrize(("written", "means"), PAIRS)
def test_an_example_means_what_the_page_says(written: str, means: str) -> None:
    assert canonical(yaml.safe_load(written)) == yaml.safe_load(means)


@pytest.mark.parametrize("example", CONSOLE)
def test_a_command_prints_what_the_page_says(
    example: re.Match[str], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in FILES.items():
        Path(name).write_text(text)
    output = cli(*example[1].split()).output
    shown = re.sub(r" +$", "", output, flags=re.MULTILINE)
    expected = re.escape(re.sub(r" +$", "", example[2], flags=re.MULTILINE)).replace("…\\\n", ".*\n")
    assert re.fullmatch(expected, shown, re.DOTALL)
