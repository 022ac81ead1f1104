"""Every example in a docstring runs, and the public names are those of the design, documented."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import textwrap
from itertools import pairwise

import pytest

import bn_teach

MODULES = sorted(info.name for info in pkgutil.walk_packages(bn_teach.__path__, "bn_teach."))
CORE = ["running", "theory", "frameworks", "batchnorm", "data", "network", "training", "replay"]

SIGNATURES = {
    "batchnorm": {
        "batch_statistics": "(x)",
        "batch_norm_forward": "(x, gamma, beta, *, eps=1e-05)",
        "batch_norm_backward": "(dy, cache)",
        "batch_norm_inference": "(x, mean, var, gamma, beta, *, eps=1e-05)",
        "fold": "(mean, var, gamma, beta, *, eps=1e-05)",
        "BatchNorm": "(num_features, *, momentum=0.9, eps=1e-05, unbiased=True, initial_mean=0.0, initial_var=1.0)",
        "BatchNorm.like": "(framework, num_features, **overrides)",
        "BatchNorm.train": "(self)",
        "BatchNorm.eval": "(self)",
        "BatchNorm.__call__": "(self, x)",
        "BatchNorm.backward": "(self, dy)",
    },
    "running": {
        "exponential_moving_average": "(history, momentum, *, initial=0.0, debias=False)",
        "cumulative_average": "(history)",
        "unbiased_variance": "(var, m)",
        "population_statistics": "(means, variances, m)",
        "pooled_statistics": "(means, variances, sizes)",
    },
    "theory": {
        "start_up_weight": "(momentum, steps)",
        "effective_batches": "(momentum)",
        "running_mean_std": "(sigma, momentum, batch_size, steps=None)",
        "running_var_std": "(sigma, momentum, batch_size, steps=None, *, excess_kurtosis=0.0)",
        "drift_lag": "(momentum, drift_per_step)",
        "expected_biased_variance": "(variance, batch_size)",
        "best_momentum": "(sigma, batch_size, drift_per_step)",
    },
    "frameworks": {
        "kept_fraction": "(framework, momentum)",
        "Framework": "(name, momentum_weighs, default_momentum, eps, running_var_unbiased, initial_mean, initial_var, "
        "single_example, source)",
        "FRAMEWORKS": None,
    },
    "data": {
        "Dataset": "(train_x, train_y, validation_x, validation_y, name)",
        "Dataset.from_arrays": "(x, y, *, validation_fraction=0.25, seed=0, name='custom')",
        "load_digits": "(*, validation_fraction=0.25, seed=0)",
        "GaussianPopulation": "(mean=0.0, std=1.0)",
        "GaussianPopulation.sample": "(self, batch_size, steps, seed)",
    },
    "network": {
        "Linear": "(weight, bias=None)",
        "BatchNormLayer": "(gamma, beta, eps)",
        "ReLU": "()",
        "Sigmoid": "()",
        "Network": "(layers)",
        "cross_entropy": "(scores, labels)",
    },
    "training": {
        "TrainingConfig": "(batch_size=16, steps=800, hidden=(100, 100), activation='relu', learning_rate=0.1, "
        "batch_norm=True, eps=1e-05, checkpoint_every=10, drop_last=True, weight_scale=None, dtype='float32', seed=0)",
        "train": "(dataset, config, *, on_step=None, should_stop=None)",
        "TrainingDiverged": None,
    },
    "replay": {
        "replay": "(recording, momentum=0.9, *, estimator='ema', unbiased=True)",
        "early_stop": "(replay, patience, *, metric='validation_accuracy')",
        "ESTIMATORS": None,
        "Replay": None,
    },
}

# The bare mathematics behind a documented function, and what only other modules call.
BARE = {
    "fading_average",
    "in_batches",
    "normalize",
    "normalize_backward",
    "scale_and_shift",
    "moments",
    "batch_sum",
}


def module_called(name):
    if name == "bn_teach.torch_recorder.live":
        pytest.importorskip("torch")
    return importlib.import_module(name)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = module_called(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0


def test_examples_are_found():
    finder = doctest.DocTestFinder()
    for name in CORE:
        examples = sum(len(test.examples) for test in finder.find(importlib.import_module(f"bn_teach.{name}")))
        assert examples >= 1, name


def parameters_of(function):
    return [p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [(module, name, signature) for module, names in SIGNATURES.items() for name, signature in names.items()],
)
def test_public_names_have_the_signature_of_the_design(module, name, expected):
    value = importlib.import_module(f"bn_teach.{module}")
    for part in name.split("."):
        value = getattr(value, part)
    if expected is None:
        return
    design = {}
    exec(f"def function{expected}: pass", design)
    ours, wanted = parameters_of(value), parameters_of(design["function"])
    assert [p for p in ours if p.name in {w.name for w in wanted}] == wanted
    # More may have come since, as long as every call written for the design means the same.
    positional = [p for p in wanted if p.kind is not p.KEYWORD_ONLY]
    assert ours[: len(positional)] == positional
    assert all(p.default is not p.empty for p in ours if p not in wanted)


def test_estimators_are_those_of_the_design():
    from bn_teach.replay import ESTIMATORS

    assert ESTIMATORS == ("ema", "debiased", "cumulative", "algorithm2", "population", "batch")


def test_frameworks_of_the_design_are_there():
    from bn_teach.frameworks import FRAMEWORKS

    assert {"pytorch", "keras", "flax", "onnx", "cs231n", "d2l"} <= set(FRAMEWORKS)


def public_members():
    """Every public function and class of the core modules, and every public method of those classes."""
    for name in CORE:
        module = importlib.import_module(f"bn_teach.{name}")
        for own_name, value in vars(module).items():
            if own_name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value) or inspect.isclass(value):
                yield pytest.param(value, id=f"{name}.{own_name}")


def public_methods():
    for member in public_members():
        if inspect.isclass(member.values[0]):
            for name, method in inspect.getmembers(member.values[0], inspect.isroutine):
                # Defined here, not inherited; a layer's forward and backward are explained once by its module.
                in_layers = member.id.startswith("network.") and member.values[0].__name__ != "Network"
                if not name.startswith("_") and name in vars(member.values[0]) and not in_layers:
                    yield pytest.param(method, id=f"{member.id}.{name}")


def sections(value):
    lines = inspect.getdoc(value).splitlines()
    return {title for title, rule in pairwise(lines) if rule and set(rule) == {"-"} and len(rule) == len(title)}


def returns_something(function):
    """Whether its source returns (or yields) a value anywhere."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(
        isinstance(node, (ast.Yield, ast.YieldFrom)) or (isinstance(node, ast.Return) and node.value is not None)
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("value", [*public_members(), *public_methods()])
def test_everything_public_is_documented(value):
    doc = inspect.getdoc(value)
    assert doc
    assert doc[0].isupper() or doc.startswith("``")
    assert doc.splitlines()[0].endswith((".", "``."))


@pytest.mark.parametrize("value", [m for m in public_members() if inspect.isfunction(m.values[0])])
def test_every_parameter_and_result_of_a_public_function_is_described(value):
    if value.__name__ in BARE:
        return
    doc = inspect.getdoc(value)
    parameters = inspect.signature(value).parameters
    assert not parameters or "Parameters" in sections(value)
    for name in parameters:
        assert name in doc.split("Parameters\n")[1], f"{name} is not described"
    if returns_something(value):
        assert {"Returns", "Yields"} & sections(value)


@pytest.mark.parametrize(
    "name",
    [
        "batchnorm.BatchNorm",
        "frameworks.Framework",
        "data.Dataset",
        "data.GaussianPopulation",
        "network.Network",
        "training.TrainingConfig",
        "training.Recording",
        "training.TrainingDiverged",
        "replay.Replay",
    ],
)
def test_a_public_class_lists_its_attributes(name):
    module, cls = name.split(".")
    cls = getattr(importlib.import_module(f"bn_teach.{module}"), cls)
    assert "Attributes" in sections(cls)
    for field in getattr(cls, "__dataclass_fields__", ()):
        assert field in inspect.getdoc(cls), f"{field} is not described"
