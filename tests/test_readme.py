"""What README says of the repository holds."""

import json
import re
import shutil
from pathlib import Path

import pytest
from quote import AFTER, BEFORE, QUOTED, main, rows

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/teaching.md")
WRITTEN = {"docs/benchmarks.md"}  # by make bench
BENCHMARKS = ROOT / "docs" / "benchmarks.md"


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_within_the_repository_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)#:\s]+)\)", read(name)):
        assert ((ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_is_a_target_of_the_makefile(name):
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=[ `\n]*(?:[`#A-Z]|$))", read(name), flags=re.MULTILINE)) <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_that_is_named_is_there(name):
    for path in re.findall(r"`((?:bn_teach|tests|tools|notebooks|benchmarks|docs)/[\w./*-]*\w[\w./*]*)`", read(name)):
        assert path in WRITTEN or "name" in Path(path).stem or list(ROOT.glob(path)), path


def plain(question):
    return question.replace("`", "").translate(str.maketrans("“”", '""'))


def test_every_notebook_has_its_row_and_the_same_question_everywhere():
    rows = re.findall(r"^\| \[(\w+)\]\(notebooks/\1\.ipynb\) \| (.*\?) \|$", read("README.md"), flags=re.MULTILINE)
    asked = {name: plain(question) for name, question in rows}
    assert list(asked) == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    on_the_page = re.findall(r'^  "(\d\d_\w+)": "(.*)",$', read("bn_teach/page/template.html"), flags=re.MULTILINE)
    assert {name: plain(question) for name, question in on_the_page} == asked
    last = json.loads(read("notebooks/00_start_here.ipynb"))["cells"][-1]
    on_the_map = re.findall(r"\]\((\w+)\.ipynb\) \| (.*\?) \|", "".join(last["source"]))
    assert {"00_start_here": asked["00_start_here"]} | {name: plain(question) for name, question in on_the_map} == asked


def test_every_module_has_its_row():
    table = read("README.md").split("## The package")[1].split("\n## ")[0]
    named = {
        name for line in re.findall(r"^\| (`.*?`) \| ", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)
    }
    there = {
        path.stem for path in (ROOT / "bn_teach").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert named == {name for name in there if not name.startswith("_")}


def test_it_stays_readable():
    assert len(read("README.md").splitlines()) <= 220


# Speed


def quoted():
    between = read("README.md").split(BEFORE)[1].split(AFTER)[0]
    return rows(between)[1]


@pytest.mark.skipif(not BENCHMARKS.exists(), reason="make bench has not written docs/benchmarks.md yet")
def test_quoted_rows_stand_in_the_table_of_benchmarks():
    found = rows(BENCHMARKS.read_text(encoding="utf-8"))[1]
    assert len(quoted()) >= 3, "python tools/quote.py"
    assert {name: found.get(name) for name in quoted()} == quoted(), "python tools/quote.py"


def test_only_rows_that_are_chosen_are_quoted(tmp_path):
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "README.md", tmp_path)
    lines = ["| what | median |", "|---|---|", f"| {QUOTED[0]} | 2.00 |", "| something else | 3.00 |"]
    table = tmp_path / "docs" / "benchmarks.md"
    for _ in range(2):  # the second time it replaces what the first time wrote
        table.write_text("# Benchmarks\n\n" + "\n".join(lines) + "\n")
        main(tmp_path)
        text = (tmp_path / "README.md").read_text(encoding="utf-8")
        assert text.split(BEFORE)[1].split(AFTER)[0].split() == "\n".join(lines[:3]).split()
        assert text.split(BEFORE)[0] == read("README.md").split(BEFORE)[0]
        lines[2] = f"| {QUOTED[0]} | 4.00 |"


def test_without_a_table_it_says_what_writes_it(tmp_path):
    with pytest.raises(SystemExit, match="make bench"):
        main(tmp_path)
