"""What `python -m build` makes: nothing missing, nothing that does not belong, and it runs where nothing else is."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

# Neither in the copy that is built from, nor in what is built.
LITTER = (".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", "*.pyc", ".*_cache", ".hypothesis")
CHECKPOINTS = ".ipynb_checkpoints"

CORE = """
import json
import sys

import bn_teach
from bn_teach import TrainingConfig, load_digits, train
from bn_teach.replay import replay

accuracy = replay(train(load_digits(), TrainingConfig(steps=20)), 0.9).validation_accuracy

from bn_teach import CASES
from bn_teach.lessons.the_paper.experiment import load_race
from bn_teach.torch_recorder import load_example

assert all(case.experiment.effect for case in CASES.values())
load_race()
load_example()
"""
SHOWN = """
from bn_teach import MomentumExplorer
from bn_teach.page import write_page

explorer = MomentumExplorer(config=TrainingConfig(steps=20))
explorer.wait()
assert explorer.status.startswith("After 20 steps"), explorer.status
*_, accessible = explorer.view.children
assert ".bn-teach" in str(accessible._css) and "aria" in str(accessible._esm)
write_page(
    "lesson.html", config=TrainingConfig(steps=20), batch_sizes=[8, 16], momenta=[0.0, 0.9], seeds=[0], units=[(0, 7)]
)
"""
SAID = "print(json.dumps([bn_teach.__file__, len(accuracy), sorted({'plotly', 'ipywidgets'} & set(sys.modules))]))"


def run(*command, folder, **more):
    """Run a command away from the checkout; return what it printed."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        capture_output=True,
        text=True,
        timeout=900,
        **more,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The files of this checkout, with litter as it gathers where people work."""
    folder = tmp_path_factory.mktemp("source") / "bn_teach"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LITTER, CHECKPOINTS))
    for litter in (
        "bn_teach/__pycache__/data.cpython-311.pyc",
        "tests/__pycache__/conftest.cpython-311.pyc",
        f"notebooks/{CHECKPOINTS}/00_start_here-checkpoint.ipynb",
        ".pytest_cache/README.md",
        ".hypothesis/unicode_data/codec.json",
        "scratch.py",
    ):
        (folder / litter).parent.mkdir(parents=True, exist_ok=True)
        (folder / litter).write_text("litter")
    return folder


@pytest.fixture(scope="module")
def built(copy, tmp_path_factory):
    """The source distribution, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, copy, folder=out)
    (wheel,), (source,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, source


def files(folder):
    """Every file below a folder, litter aside, with its path from there."""
    parts = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {str(path.as_posix()) for path in parts if not {"__pycache__", CHECKPOINTS} & set(path.parts)}


def test_the_wheel_holds_the_package_and_nothing_else(copy, built):
    names = zipfile.ZipFile(built[0]).namelist()
    assert {name for name in names if ".dist-info/" not in name} == {f"bn_teach/{f}" for f in files(copy / "bn_teach")}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {"bn_teach/digits.npz", "bn_teach/page/template.html", "bn_teach/lessons/shared/accessible.css"} <= set(
        names
    )


def test_an_index_shows_no_placeholder(built):
    wheel = zipfile.ZipFile(built[0])
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    text = wheel.read(metadata).decode("utf-8")
    assert "notebooks/00_start_here.ipynb" in text  # README is in it
    assert "OWNER" not in text


def test_the_source_distribution_holds_the_whole_lesson_and_no_litter(copy, built):
    with tarfile.open(built[1]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if archive.getmember(name).isfile()}
    made = {name for name in names if name.startswith("bn_teach.egg-info/")} | {"PKG-INFO", "setup.cfg"}
    folders = ("benchmarks", "bn_teach", "docs", "notebooks", "tests", "tools")
    at_the_top = {"LICENSE", "MANIFEST.in", "Makefile", "environment.yml", "pyproject.toml"}
    at_the_top |= {path.name for path in copy.glob("*.md")}
    assert names - made == {f"{folder}/{f}" for folder in folders for f in files(copy / folder)} | at_the_top


def empty(folder):
    """An environment with nothing in it, for the Python that runs the tests; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=300)
    (python,) = [path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists()]
    return python


def test_the_wheel_runs_in_an_empty_environment(built, tmp_path):
    python = empty(tmp_path / "venv")
    run(python, "-m", "pip", "install", "--quiet", "--no-compile", built[0], folder=tmp_path)
    home, accuracies, shown = json.loads(run(python, "-c", CORE + SHOWN + SAID, folder=tmp_path))
    assert Path(home).is_relative_to(tmp_path / "venv")
    assert accuracies == 2
    assert shown == ["ipywidgets", "plotly"]
    assert "</html>" in (tmp_path / "lesson.html").read_text(encoding="utf-8")


def test_the_core_of_the_source_distribution_runs_beside_numpy_alone(built, tmp_path):
    python = empty(tmp_path / "venv")
    install = (python, "-m", "pip", "install", "--quiet", "--no-compile")
    run(*install, "numpy", folder=tmp_path)
    run(*install, "--no-deps", built[1], folder=tmp_path)
    home, accuracies, shown = json.loads(run(python, "-c", CORE + SAID, folder=tmp_path))
    assert Path(home).is_relative_to(tmp_path / "venv")
    assert accuracies == 2
    assert shown == []
