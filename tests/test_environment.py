"""One list of dependencies: environment.yml, the oldest versions and everything imported agree with pyproject.toml."""

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def environment():
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def pip_section(environment):
    (section,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    return section


def pinned(environment):
    pins = [Requirement(line) for line in pip_section(environment) if line != "-e ."]
    return {canonicalize_name(pin.name): pin for pin in pins}


def wanted(project):
    """What the package needs, and nbval: whoever opens the environment can check the notebooks, as README says."""
    nbval = [line for line in project["optional-dependencies"]["test"] if Requirement(line).name == "nbval"]
    return {canonicalize_name(one.name): one for one in map(Requirement, project["dependencies"] + nbval)}


def test_environment_pins_every_dependency_and_nbval_and_nothing_else(project, environment):
    assert set(pinned(environment)) == set(wanted(project))
    assert {"jupyterlab", "numpy", "ipywidgets", "plotly", "nbval"} <= set(pinned(environment))


def test_every_pin_is_one_version_that_the_project_allows(project, environment):
    pins = pinned(environment)
    for name, allowed in wanted(project).items():
        (pin,) = pins[name].specifier
        assert pin.operator == "=="
        assert allowed.specifier.contains(pin.version), f"{pin.version} is not {allowed}"


def test_environment_is_one_that_binder_understands(environment):
    assert set(environment) == {"name", "channels", "dependencies", "variables"}
    assert environment["channels"] == ["conda-forge"]
    assert not [name for name in ("binder", ".binder", "Dockerfile") if (ROOT / name).exists()], "it would win"


def test_environment_installs_the_package_itself(environment):
    assert "-e ." in pip_section(environment)


def test_conda_itself_brings_only_python_and_pip(project, environment):
    python, pip = [item for item in environment["dependencies"] if isinstance(item, str)]
    assert pip == "pip"
    # Binder reads the version only in this form: any other silently gives another Python.
    match = re.fullmatch(r"python=(3\.\d+)", python)
    assert match
    assert Requirement(f"python{project['requires-python']}").specifier.contains(match[1])


# The oldest versions


def bounds(project):
    """The lower bound of every package that the tests need, by name."""
    found = {}
    for line in project["dependencies"] + project["optional-dependencies"]["test"]:
        requirement = Requirement(line)
        (least,) = [one for one in requirement.specifier if one.operator in (">=", "==")]
        found[canonicalize_name(requirement.name)] = Version(least.version.removesuffix(".*"))
    return found


def oldest():
    lines = (ROOT / "tests" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in pins}


def test_the_oldest_versions_are_the_lower_bounds(project):
    tested = oldest()
    assert {name: tested[name] for name in bounds(project)} == bounds(project)


def test_what_is_asked_for_twice_has_one_lower_bound(project):
    lines = [line for extra in project["optional-dependencies"].values() for line in extra] + project["dependencies"]
    asked = {}
    for line in map(Requirement, lines):
        asked.setdefault(canonicalize_name(line.name), set()).add(str(line.specifier))
    assert {name: found for name, found in asked.items() if len(found) > 1} == {}


def test_binder_is_not_older_than_the_oldest(environment):
    for name, pin in pinned(environment).items():
        assert oldest()[name] <= Version(str(pin.specifier).removeprefix("==")), name


def test_every_place_that_names_the_least_python_names_the_same(project):
    least = project["requires-python"].removeprefix(">=")
    assert f"Python {least} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python {least} or newer" in (ROOT / "Makefile").read_text(encoding="utf-8")
    (matrix,) = re.findall(r"python: \[(.*)\]", (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    assert matrix.replace('"', "").split(", ")[0] == least


# What is imported

CALLED = {"PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn", "repo2docker": "jupyter-repo2docker"}
# Not asked for by us, but a part of what is: imported name to the package that brings it.
BROUGHT = {
    "traitlets": "ipywidgets",
    "ipykernel": "jupyterlab",
    "jupyter_client": "nbclient",
    "distributed": "dask",
    "pygments": "nbconvert",
}
OURS = {"bn_teach"} | {
    path.stem
    for folder in ("tests/kit", "tests/browser", "benchmarks", "tools")
    for path in (ROOT / folder).glob("*.py")
}


def imported(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def sources(folder):
    for path in (ROOT / folder).rglob("*.py"):
        yield path.read_text(encoding="utf-8")
    for path in (ROOT / folder).glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield "".join(cell["source"])


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("bn_teach", ("bench", "parity")),  # tqdm and torch, inside the function that can do without
        ("notebooks", ("parity",)),
        ("tests", ("test", "parity")),
        ("benchmarks", ("test", "parity")),
        ("tools", ("test",)),
    ],
)
def test_whatever_is_imported_is_listed(project, folder, extras):
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    listed = {canonicalize_name(Requirement(line).name) for line in lines}
    names = {name for source in sources(folder) for name in imported(source)} - sys.stdlib_module_names - OURS
    packages = {canonicalize_name(BROUGHT.get(name, CALLED.get(name, name))) for name in names}
    assert packages <= listed, packages - listed


@pytest.mark.parametrize("name", BROUGHT)
def test_what_is_brought_along_is(name):
    brings = {canonicalize_name(Requirement(line).name) for line in requires(BROUGHT[name])}
    assert canonicalize_name(name) in brings
