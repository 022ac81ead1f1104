import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def test_environment_pins_every_dependency_and_nothing_else(project, environment):
    wanted = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    assert set(pinned(environment)) == wanted


def test_every_pin_is_one_version_that_the_project_allows(project, environment):
    pins = pinned(environment)
    for line in project["dependencies"]:
        allowed = Requirement(line)
        (pin,) = pins[canonicalize_name(allowed.name)].specifier
        assert pin.operator == "=="
        assert allowed.specifier.contains(pin.version), f"{pin.version} is not {allowed}"


def test_environment_installs_the_package_itself(environment):
    assert "-e ." in pip_section(environment)


def test_conda_itself_brings_only_python_and_pip(project, environment):
    python, pip = [item for item in environment["dependencies"] if isinstance(item, str)]
    assert pip == "pip"
    # Binder reads the version only in this form: any other silently gives another Python.
    match = re.fullmatch(r"python=(3\.\d+)", python)
    assert match
    assert Requirement(f"python{project['requires-python']}").specifier.contains(match[1])
