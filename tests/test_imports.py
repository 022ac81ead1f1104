"""Which module may import what: the rules of the design, read from the source with `ast`."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import bn_teach

PACKAGE = Path(bn_teach.__file__).parent

# A module imports only from modules to its left. Those that do not exist yet have their place already.
ORDER = [
    "_checks",
    "_files",
    "_threads",
    "frameworks",
    "running",
    "theory",
    "data",
    "batchnorm",
    "framework_table",
    "network",
    "training",
    "replay",
    "sweep",
    "torch_recorder",
    "samples",
    "tracking",
    "two_modes",
    "paper",
    "exercises",
    "clinic",
    "sentences",
    "questions",
    "figures",
    "page",
    "explorers",
]
NUMPY_ALONE = ORDER[: ORDER.index("figures")]
ALLOWED = {
    **{module: {"numpy"} for module in NUMPY_ALONE},
    "figures": {"numpy", "plotly", "traitlets"},
    "page": {"numpy", "plotly"},
    "explorers": {"numpy", "ipywidgets", "anywidget", "traitlets"},
    "__init__": set(),
}
OPTIONAL = {"torch", "tqdm", "threadpoolctl"}  # only inside the function that needs them


def files():
    """Every source file of the package, with the name of the module that it belongs to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield pytest.param(path, parts[0], id="/".join(parts))


def imports(source, package="bn_teach"):
    """Yield (dotted name, whether it is inside a function) for every import in `source`."""

    def walk(node, inside):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield alias.name, inside
            elif isinstance(child, ast.ImportFrom):
                start = ".".join(package.split(".")[: len(package.split(".")) - child.level + 1]) if child.level else ""
                base = ".".join(filter(None, [start, child.module]))
                for alias in child.names:
                    yield (f"{base}.{alias.name}" if base == "bn_teach" else base), inside
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from walk(child, inside or function)

    yield from walk(ast.parse(source), False)


def violations(module, source, package="bn_teach"):
    """What `source`, of the module with that name, imports against the rules."""
    found = []
    for name, inside in imports(source, package):
        top, *rest = name.split(".")
        if top == "bn_teach":
            other = rest[0] if rest else "__init__"
            if other not in ORDER:
                found.append(f"{name}: import from the module that defines it")
            elif other != module and (module == "__init__" or ORDER.index(other) >= ORDER.index(module)):
                found.append(f"{name} is not to the left of {module}")
            elif other == "page" and module != "page":
                found.append(f"{name}: nothing imports the page")
        elif top in OPTIONAL:
            if not inside:
                found.append(f"{name} is optional: import it inside the function that needs it")
        elif top not in sys.stdlib_module_names and top not in ALLOWED[module]:
            found.append(f"{name} is not for {module}")
    return found


def test_every_module_has_its_place():
    modules = {param.values[1] for param in files()} - {"__init__"}
    assert modules <= set(ORDER), "give it a place in ORDER"


@pytest.mark.parametrize(("path", "module"), list(files()))
def test_a_module_imports_only_what_it_may(path, module):
    package = ".".join(("bn_teach", *path.relative_to(PACKAGE).parent.parts))
    assert violations(module, path.read_text(encoding="utf-8"), package) == []


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
        ("explorers", "import plotly"),
        ("explorers", "from bn_teach.page import write_page"),
        ("figures", "import ipywidgets"),
        ("figures", "from bn_teach.explorers import MomentumExplorer"),
        ("sweep", "import tqdm"),
        ("sweep", "try:\n    from tqdm.auto import tqdm\nexcept ImportError:\n    pass"),
        ("data", "import scipy"),
        ("__init__", "from bn_teach.training import train"),
        ("__init__", "import numpy"),
    ],
)
def test_the_rules_refuse(module, source):
    assert violations(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("replay", "import json, numpy as np\nfrom bn_teach.training import Recording\nfrom bn_teach import _checks"),
        ("sweep", "def f():\n    from tqdm.auto import tqdm"),
        ("torch_recorder", "class A:\n    def f(self):\n        import torch"),
        ("figures", "import plotly.graph_objects as go\nfrom bn_teach import theory"),
        (
            "explorers",
            "import ipywidgets\nfrom bn_teach.figures import momentum_figure\nfrom bn_teach.explorers.base import x",
        ),
        ("__init__", "from importlib import import_module"),
    ],
)
def test_the_rules_allow(module, source):
    assert violations(module, source) == []


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
    present = [m for m in NUMPY_ALONE if (PACKAGE / f"{m}.py").exists() or (PACKAGE / m / "__init__.py").exists()]
    assert {"batchnorm", "network", "training", "replay"} <= set(present)
    code = f"""
import importlib, json, sys

class NumpyAlone:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        known = top in sys.stdlib_module_names or top in ("numpy", "bn_teach") or top.startswith("_sysconfigdata")
        if not known:
            raise ImportError(f"{{name}} is not there")

sys.meta_path.insert(0, NumpyAlone())
for module in {present}:
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
    assert not {"plotly", "ipywidgets", "bn_teach.figures", "bn_teach.replay"} & set(loaded)


# The lazy names


@pytest.mark.parametrize("name", bn_teach.__all__)
def test_every_lazy_name_is_there(name):
    value = getattr(bn_teach, name)
    assert name in dir(bn_teach)
    if name in bn_teach._HOME:
        assert value is getattr(sys.modules[f"bn_teach.{bn_teach._HOME[name]}"], name)
    else:
        assert value is sys.modules[f"bn_teach.{name}"]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'bn_teach' has no attribute 'nothing'"):
        bn_teach.nothing  # noqa: B018 - reading it is the test


def test_the_names_of_the_notebooks_are_at_the_top():
    assert {"BatchNorm", "Dataset", "load_digits", "TrainingConfig", "Recording", "train"} <= set(bn_teach.__all__)
