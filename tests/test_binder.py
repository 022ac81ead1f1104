"""Binder builds what environment.yml asks for, and its links open what is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from address import address, files, readdress

ROOT = Path(__file__).parents[1]
BINDER = re.compile(r"https://mybinder\.org/v2/[^\s)\"'<>\\]+")


def asked_of(folder):
    """What repo2docker would build from a folder: its log and the Dockerfile. (Nothing is built, so no Docker.)"""
    if sys.platform == "win32":
        pytest.skip("repo2docker runs on Linux and macOS only")
    run = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-3000:]
    return said


def python_of(said):
    (version,) = re.findall(r"Building conda environment for python=(\S+)", said)
    return version


@pytest.fixture
def wanted():
    (python,) = [item for item in environment()["dependencies"] if str(item).startswith("python")]
    return python.removeprefix("python=")


def environment():
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_binder_builds_the_python_that_environment_yml_names(wanted):
    said = asked_of(ROOT)
    assert python_of(said) == wanted
    # The package itself is installed from the files, so they have to be there first.
    update = said.index('env update -p ${NB_PYTHON_PREFIX} --file "environment.yml"')
    assert said.index("COPY --chown=0:0 src/ ${REPO_DIR}/") < update


@pytest.mark.parametrize(("name", "content"), [("environment.yml", "python>={}"), ("binder/environment.yml", "python")])
def test_that_check_notices_another_python(tmp_path, wanted, name, content):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    shutil.copy(ROOT / "environment.yml", tmp_path)
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    changed = text.replace(f"python={wanted}\n", content.format(wanted) + "\n")
    assert changed != text
    (tmp_path / name).write_text(changed, encoding="utf-8")
    assert python_of(asked_of(tmp_path)) != wanted


# Links


def links(root=ROOT):
    """Every link to Binder, with the file that it stands in."""
    return [(path, link) for path in files(root) for link in BINDER.findall(path.read_text(encoding="utf-8"))]


def opened(link):
    """The address of the repository, and the file that a link opens in JupyterLab."""
    parts = urlsplit(link)
    owner, name, _ = parts.path.removeprefix("/v2/gh/").split("/")
    (path,) = parse_qs(parts.query)["urlpath"]
    assert path.startswith("lab/tree/"), link
    return f"{owner}/{name}", path.removeprefix("lab/tree/")


def test_every_link_opens_a_file_of_this_repository():
    for path, link in links():
        repository, file = opened(link)
        assert repository == address(), f"{path.name}: make address TO={address()}"
        assert (ROOT / file).is_file(), f"{path.name}: {link}"


def test_readme_opens_the_first_notebook():
    opens = {opened(link)[1] for path, link in links() if path.name == "README.md"}
    assert opens == {"notebooks/00_start_here.ipynb"}


def test_one_command_changes_the_address_everywhere(tmp_path):
    for path in files():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    changed = readdress("somebody/lesson-1.0", tmp_path)
    assert address(tmp_path) == "somebody/lesson-1.0"
    assert {path for path, _ in links(tmp_path)} < set(changed)
    assert {opened(link)[0] for _, link in links(tmp_path)} == {"somebody/lesson-1.0"}
    for path in files():
        before, after = (folder / path.relative_to(ROOT) for folder in (ROOT, tmp_path))
        assert len(before.read_bytes().splitlines()) == len(after.read_bytes().splitlines())
    readdress(address(), tmp_path)
    for path in files():
        assert (tmp_path / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("wrong", ["", "lesson", "https://github.com/a/b", "a/b/c", "a/b?c"])
def test_an_address_that_is_none_is_refused(wrong, tmp_path):
    with pytest.raises(ValueError, match="owner/name"):
        readdress(wrong, tmp_path)
