"""Binder builds what environment.yml asks for, and its links open what is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from address import LINK, address, files, link, readdress

ROOT = Path(__file__).parents[1]


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
    """Every link to Binder, with the file that it stands in and the notebook that it is to open."""
    return [
        (path, found[0], found[1] or found[2])
        for path in files(root)
        for found in LINK.finditer(path.read_text(encoding="utf-8"))
    ]


@pytest.fixture
def copy(tmp_path):
    for path in files():
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    return tmp_path


def test_every_link_opens_a_file_of_this_repository():
    for path, written, file in links():
        assert written == link(file, address()), f"{path.name}: make address"
        assert (ROOT / file).is_file(), f"{path.name}: {written}"


def test_there_is_no_other_way_to_binder():
    for path in files():
        text = LINK.sub("", path.read_text(encoding="utf-8"))
        assert re.findall(r"https://mybinder\.org/(?!badge_logo)\w+", text) == [], path.name


def test_every_notebook_links_to_itself_and_readme_to_the_first():
    for path in files():
        opens = {file for where, _, file in links() if where == path}
        if path.suffix == ".ipynb":
            assert opens == {f"notebooks/{path.name}"}
        elif path.name == "README.md":
            assert opens == {"notebooks/00_start_here.ipynb"}


def test_one_command_makes_every_link_one_click(copy):
    changed = readdress("somebody/lesson-1.0", copy)
    assert address(copy) == "somebody/lesson-1.0"
    assert {path for path, _, _ in links(copy)} | {copy / "pyproject.toml"} == set(changed)
    for path, written, file in links(copy):
        target = f"https://mybinder.org/v2/gh/somebody/lesson-1.0/HEAD?urlpath=lab/tree/{file}"
        assert written == f"]({target})", path.name
    readdress("another/place", copy)
    assert "somebody/lesson" not in "".join(path.read_text(encoding="utf-8") for path in files(copy))
    readdress(address(), copy)
    for path in files():
        assert (copy / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_no_reader_meets_a_placeholder():
    pages = [path for path in (ROOT / "bn_teach").rglob("*") if path.suffix in (".html", ".js", ".md", ".py")]
    for path in [*files(), *pages]:
        assert re.findall(r"\b(?:OWNER|REPO|YOUR-HUB)\b", path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize("wrong", ["", "lesson", "https://github.com/a/b", "a/b/c", "a/b?c"])
def test_an_address_that_is_none_is_refused(wrong, tmp_path):
    with pytest.raises(ValueError, match="owner/name"):
        readdress(wrong, tmp_path)
