"""Which module may import what: the rules of the design, read from the source with `ast`."""

import ast
import importlib
import json
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import bn_teach

PACKAGE = Path(bn_teach.__file__).parent

# The rooms of the house; a module imports only from rooms to its left, and within a lesson's room from its own.
CORE = [
    "_face",
    "_checks",
    "_files",
    "_threads",
    "frameworks",
    "running",
    "theory",
    "data",
    "batchnorm",
    "network",
    "training",
    "replay",
    "sweep",
]
LESSONS = {path.parent.name for path in (PACKAGE / "lessons").glob("*/__init__.py")} - {"shared"}
LATER = ["torch_recorder", "exercises", "lessons.shared", "lesson", "lessons.questions", "lessons.prediction", "page"]
ORDER = [*CORE, *LATER]
# In a lesson the name of a file says what it may do: packages, and files of lessons/shared.
LESSON = {
    "experiment": ({"numpy"}, {"runs", "seeds"}),
    "picture": ({"numpy", "plotly"}, {"panels", "choices", "question"}),
    "explorer": ({"numpy", "ipywidgets", "traitlets"}, None),  # all of them
    "questions": ({"numpy"}, {"question", "runs", "seeds", "choices"}),
    "pad": ({"numpy", "anywidget", "traitlets"}, set()),  # a widget of its own
}
NUMPY_ALONE = ORDER[: ORDER.index("lessons.shared")]
SHARED = {  # what files of lessons/shared may import, and those of the page
    "accessible": {"anywidget", "traitlets"},
    "bar": {"ipywidgets"},
    "commit": {"ipywidgets"},
    "explorer": {"ipywidgets", "traitlets"},
    "live_figure": {"numpy", "plotly", "traitlets"},
    "panels": {"numpy", "plotly"},
    "training": {"ipywidgets", "numpy"},
}
OPTIONAL = {"torch", "tqdm", "threadpoolctl"}  # only inside the function that needs them


def dotted(path):
    """The name by which a source file is imported; that of a folder's `__init__` is the folder's."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}
FOLDERS = [name for name, path in SOURCES.items() if path.name == "__init__.py"]
FILES = [name for name in SOURCES if name not in FOLDERS]
FACES = ["bn_teach", "bn_teach.exercises", "bn_teach.page", "bn_teach.torch_recorder"]  # folders that hand out names


def room(name):
    """Where a module stands in ORDER, and the lesson that it belongs to, if any."""
    parts = name.split(".")[1:]
    if parts[:1] != ["lessons"]:
        return (parts or ["__init__"])[0], None
    lesson = parts[1] if len(parts) > 1 and parts[1] in LESSONS else None
    return ("lesson" if lesson else ".".join(parts[:2])), lesson


def imports(source, package="bn_teach"):
    """Yield (module, name taken from it or None, whether it is inside a function) for every import in `source`."""

    def walk(node, inside):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield alias.name, None, inside
            elif isinstance(child, ast.ImportFrom):
                start = ".".join(package.split(".")[: len(package.split(".")) - child.level + 1]) if child.level else ""
                base = ".".join(filter(None, [start, child.module]))
                for alias in child.names:
                    whole = f"{base}.{alias.name}" in SOURCES
                    yield (f"{base}.{alias.name}", None, inside) if whole else (base, alias.name, inside)
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from walk(child, inside or function)

    yield from walk(ast.parse(source), False)


@cache
def not_its_own(module):
    """What a file of ours has from elsewhere."""
    imported = [node for node in ast.parse(SOURCES[module].read_text(encoding="utf-8")).body if "names" in node._fields]
    return {alias.asname or alias.name for node in imported for alias in node.names}


def allowed(name):
    """The packages that a module may use, and the files of lessons/shared (None: all)."""
    where, lesson = room(name)
    leaf = name.split(".")[-1]
    if lesson:
        return LESSON.get(leaf, LESSON["picture"] if leaf in ("drawing", "valley", "weights") else LESSON["experiment"])
    others = {
        "__init__": set(),
        "lessons.shared": SHARED.get(leaf, {"numpy"}),
        "lessons.prediction": {"ipywidgets"},
        "page": {"numpy", "plotly", "jinja2"},
    }
    return others.get(where, {"numpy"}), None


def may_import(name, other):
    """Whether one module of ours may import another."""
    (where, lesson), (there, its_lesson) = room(name), room(other)
    if where == there == "lesson":
        return lesson == its_lesson
    if where == "lesson" and there == "lessons.shared":
        _, shared = allowed(name)
        return shared is None or other.split(".")[-1] in shared
    if where == there:
        return where not in CORE
    if where == "__init__":
        return there == "_face"
    return ORDER.index(there) < ORDER.index(where)


def violations(module, source):
    """What `source`, of the module with that name, imports against the rules."""
    found = []
    package = module if module in FOLDERS else module.rpartition(".")[0]
    for name, taken, inside in imports(source, package):
        top = name.split(".")[0]
        if top == "bn_teach":
            if name not in FILES or (taken and taken in not_its_own(name)):
                found.append(f"{taken or ''} {name}: import from the file that defines it")
            elif not may_import(module, name):
                found.append(f"{name} is not for {module}")
        elif top in OPTIONAL:
            if not inside:
                found.append(f"{name} is optional: import it inside the function that needs it")
        elif top not in sys.stdlib_module_names and top not in allowed(module)[0]:
            found.append(f"{name} is not for {module}")
    return found


def test_every_module_has_its_place():
    assert {room(name)[0] for name in SOURCES} <= {"__init__", "lessons", *ORDER}, "give it a place"


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_only_what_it_may(module):
    assert violations(module, SOURCES[module].read_text(encoding="utf-8")) == []


PICTURE = "lessons.start_here.picture"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("running", "from bn_teach.replay import replay"),
        ("running", "import bn_teach.replay"),
        ("running", "from bn_teach import replay"),
        ("running", "def f():\n    from bn_teach.replay import replay"),
        ("running", "from .replay import replay"),
        ("replay", "from bn_teach import TrainingConfig"),
        ("replay", "import bn_teach"),
        ("replay", "import plotly.graph_objects as go"),
        ("replay", "def f():\n    import plotly"),
        ("sweep", "import tqdm"),
        ("sweep", "try:\n    from tqdm.auto import tqdm\nexcept ImportError:\n    pass"),
        ("data", "import scipy"),
        ("exercises.table", "from bn_teach.lessons.shared.choices import MOMENTA"),
        ("lessons.shared.training", "from bn_teach.training import minibatches"),  # data defines it
        ("lessons.shared.panels", "from bn_teach.lessons.start_here.picture import axes"),
        ("lessons.shared.background", "import plotly"),
        (PICTURE, "import ipywidgets"),
        (PICTURE, "from bn_teach import MomentumExplorer"),
        (PICTURE, "from bn_teach.lessons import shared"),
        (PICTURE, "from bn_teach.lessons.shared.explorer import Explorer"),
        (PICTURE, "from bn_teach.lessons.two_modes.experiment import model_from"),
        ("lessons.start_here.explorer", "import plotly"),
        ("lessons.start_here.explorer", "from bn_teach.page.write import write_page"),
        ("lessons.start_here.questions", "from bn_teach.lessons.questions import QUESTIONS"),
        ("lessons.two_modes.experiment", "from bn_teach.lessons.shared.panels import line"),
        ("lessons.two_modes.experiment", "import plotly"),
        ("lessons.questions", "from bn_teach.lessons.prediction import Prediction"),
        ("__init__", "from bn_teach.training import train"),
        ("__init__", "import numpy"),
    ],
)
def test_the_rules_refuse(module, source):
    assert violations("bn_teach" if module == "__init__" else f"bn_teach.{module}", source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("replay", "import json, numpy as np\nfrom bn_teach.training import Recording\nfrom bn_teach import _checks"),
        ("sweep", "def f():\n    from tqdm.auto import tqdm"),
        ("torch_recorder.live", "class A:\n    def f(self):\n        import torch"),
        (PICTURE, "import plotly.graph_objects as go\nfrom bn_teach import theory"),
        (PICTURE, "from bn_teach.lessons.shared.panels import line"),
        ("lessons.start_here.explorer", "import ipywidgets\nfrom bn_teach.lessons.shared.explorer import row"),
        ("lessons.questions", "from bn_teach.lessons.start_here import questions"),
        ("page.write", "from bn_teach.lessons.start_here import questions"),
        ("__init__", "from importlib import import_module\nfrom bn_teach._face import face"),
    ],
)
def test_the_rules_allow(module, source):
    assert violations("bn_teach" if module == "__init__" else f"bn_teach.{module}", source) == []


def circle(graph):
    """Modules that import each other, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def ours(name, *, inside):
    """What a module of ours imports of ours; `inside`: within functions too."""
    path = SOURCES[name]
    package = dotted(path.parent / "__init__.py")
    found = imports(path.read_text(encoding="utf-8"), package)
    return {module for module, _, late in found if module in SOURCES and (inside or not late)}


def test_no_modules_import_each_other():
    assert circle({name: ours(name, inside=True) for name in SOURCES}) is None
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) is not None


# What really happens


def python(code):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=PACKAGE.parent, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_importing_the_package_loads_nothing_but_itself():
    loaded = python(
        "import json, sys; before = set(sys.modules); import bn_teach;"
        "print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))"
    )
    assert "bn_teach" in loaded
    assert set(loaded) - sys.stdlib_module_names == {"bn_teach"}


def test_the_core_runs_with_numpy_and_the_standard_library_alone():
    code = f"""
import importlib, json, sys

class NumpyAlone:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        known = top in sys.stdlib_module_names or top in ("numpy", "bn_teach") or top.startswith("_sysconfigdata")
        if not known:
            raise ImportError(f"{{name}} is not there")

sys.meta_path.insert(0, NumpyAlone())
for module in {NUMPY_ALONE}:
    importlib.import_module("bn_teach." + module)
from bn_teach import TrainingConfig, load_digits, train
from bn_teach.replay import replay
accuracy = replay(train(load_digits(), TrainingConfig(steps=20)), 0.9).validation_accuracy
print(json.dumps([len(accuracy), sorted({{"plotly", "ipywidgets", "torch"}} & set(sys.modules))]))
"""
    assert python(code) == [2, []]


def test_a_lazy_name_brings_in_only_what_it_needs():
    loaded = python("import json, sys, bn_teach; bn_teach.train; print(json.dumps(list(sys.modules)))")
    assert "bn_teach.training" in loaded
    assert not {"plotly", "ipywidgets", "bn_teach.lessons", "bn_teach.replay"} & set(loaded)


def folders_of(names):
    """The folders around modules: whoever imports a file has read their `__init__` before."""
    return {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 1)}


def used_by(name):
    """A module and all that it imports, and that they import."""
    found, to_do = set(), [name]
    while to_do:
        if (one := to_do.pop()) not in found:
            found.add(one)
            to_do += ours(one, inside=False)
    return found


def test_importing_a_module_loads_only_what_it_uses():
    loaded = python(f"""
import importlib, json, sys

def loaded(name):
    for one in [one for one in sys.modules if one.split(".")[0] == "bn_teach"]:
        del sys.modules[one]
    importlib.import_module(name)
    return [one for one in sys.modules if one.split(".")[0] == "bn_teach"]

print(json.dumps({{name: loaded(name) for name in {list(SOURCES)}}}))
""")
    for name in SOURCES:
        used = used_by(name)
        assert set(loaded[name]) == used | folders_of(used) | {"bn_teach._face"}, name


def test_what_keeps_a_view_accessible_brings_in_no_other_room():
    loaded = python("import json, sys, bn_teach.lessons.shared.accessible; print(json.dumps(list(sys.modules)))")
    ours = {name.removeprefix("bn_teach.") for name in loaded if name.startswith("bn_teach.")}
    assert ours == {"_face", "lessons", "lessons.shared", "lessons.shared.accessible"}
    assert "plotly" not in loaded


# The faces


@pytest.mark.parametrize(("face", "name"), [(f, name) for f in FACES for name in importlib.import_module(f).__all__])
def test_a_face_hands_out_every_name_from_the_file_that_defines_it(face, name):
    module = importlib.import_module(face)
    value = getattr(module, name)
    assert name in dir(module)
    if f"{face}.{name}" in SOURCES:  # a module; a name that is also a file's would change its meaning once that is read
        assert value is sys.modules[f"{face}.{name}"]
    else:
        assert any(getattr(sys.modules.get(one), name, None) is value for one in FILES)


@pytest.mark.parametrize("face", FACES)
def test_an_unknown_name_is_an_attribute_error(face):
    with pytest.raises(AttributeError, match=f"module '{face}' has no attribute 'nothing'"):
        importlib.import_module(face).nothing  # noqa: B018 - reading it is the test


def test_the_names_of_the_notebooks_are_at_the_top():
    core = {"BatchNorm", "Dataset", "load_digits", "TrainingConfig", "Recording", "train"}
    explorers = {"Momentum", "TwoModes", "BatchStatistics", "RunningStatistics", "EstimatorRace", "Clinic", "Recorder"}
    explorers |= {"WhoseStatistics", "ChangedWeights"}
    pictures = {"PaperFigure", "ValleyFigure", "FrameworkTable", "Prediction", "CASES"}
    assert core | {f"{name}Explorer" for name in explorers} | pictures <= set(bn_teach.__all__)
