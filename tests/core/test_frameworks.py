from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_teach.frameworks import FRAMEWORKS, Framework, kept_fraction

# name: weighs, default, eps, running variance unbiased, initial mean, initial variance, a batch of one
TABLE = {
    "pytorch": ("new", 0.1, 1e-5, True, 0.0, 1.0, "error"),
    "mlx": ("new", 0.1, 1e-5, True, 0.0, 1.0, "error"),
    "keras": ("old", 0.99, 1e-3, False, 0.0, 1.0, "beta"),
    "tf_keras_fused": ("old", 0.99, 1e-3, True, 0.0, 1.0, "nan"),
    "flax": ("old", 0.99, 1e-5, False, 0.0, 1.0, "beta"),
    "flax_nnx": ("old", 0.99, 1e-5, False, 0.0, 1.0, "beta"),
    "onnx": ("old", 0.9, 1e-5, False, None, None, "beta"),
    "paddle": ("old", 0.9, 1e-5, False, 0.0, 1.0, "input"),
    "cs231n": ("old", 0.9, 1e-5, False, 0.0, 0.0, "beta"),
    "d2l": ("new", 0.1, 1e-5, False, 0.0, 1.0, "beta"),
    "haiku": ("old", None, 1e-5, False, 0.0, 0.0, "beta"),
    "caffe": ("old", 0.999, 1e-5, True, 0.0, 0.0, "beta"),
    "equinox_batch": ("old", 0.99, 1e-5, False, 0.0, 1.0, "beta"),
    "equinox_ema": ("old", 0.99, 1e-5, False, None, None, "average"),
    "makemore": ("new", 0.001, 0.0, True, 0.0, 1.0, "nan everywhere"),
}
# Most frameworks normalise training by the batch's own statistics over n, keep the start in the averages, and average
# variances. Those that do not: training, its variance over n-1, the start, what is averaged
UNLIKE = {
    "haiku": ("batch", False, "divided", "variances"),
    "caffe": ("batch", False, "divided", "variances"),
    "equinox_batch": ("batch", False, "divided", "variances"),
    "equinox_ema": ("average", False, "replaced", "variances"),
    "makemore": ("batch", True, "kept", "standard deviations"),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_each_framework_does(name):
    f = FRAMEWORKS[name]
    assert (
        f.momentum_weighs,
        f.default_momentum,
        f.eps,
        f.running_var_unbiased,
        f.initial_mean,
        f.initial_var,
        f.single_example,
    ) == TABLE[name]
    usual = ("batch", False, "kept", "variances")
    assert (f.training, f.training_var_unbiased, f.start, f.averages) == UNLIKE.get(name, usual)


def test_no_framework_is_left_untested():
    assert set(FRAMEWORKS) == set(TABLE)


@pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=FRAMEWORKS.keys())
def test_every_row_is_complete(framework):
    assert isinstance(framework, Framework)
    assert framework.name
    assert framework.source
    assert framework.momentum_weighs in ("old", "new")
    assert framework.single_example in ("error", "beta", "average", "input", "nan", "nan everywhere")


def test_the_table_is_read_only():
    with pytest.raises(TypeError):
        FRAMEWORKS["pytorch"] = None
    with pytest.raises(FrozenInstanceError):
        FRAMEWORKS["pytorch"].eps = 0.1


def test_kept_fraction_by_hand():
    assert kept_fraction("pytorch", 0.1) == 0.9
    assert kept_fraction("pytorch", 1.0) == 0.0
    assert kept_fraction("pytorch", 0.0) == 1.0
    assert kept_fraction("keras", 0.99) == 0.99
    assert kept_fraction("d2l", 0.25) == 0.75
    assert kept_fraction("makemore", 0.001) == 0.999
    assert kept_fraction("equinox_ema", 0.99) == 0.99


def test_tf_keras_is_keras_2():
    assert FRAMEWORKS["tf_keras_fused"].name.startswith("Keras 2")


def test_pytorchs_none_stays_the_cumulative_average():
    assert kept_fraction("pytorch", None) is None


@given(st.sampled_from(sorted(FRAMEWORKS)), st.floats(0, 1))
def test_kept_fraction_keeps_or_turns_round(name, momentum):
    kept = kept_fraction(name, momentum)
    assert kept == (momentum if FRAMEWORKS[name].momentum_weighs == "old" else 1 - momentum)
    assert 0 <= kept <= 1


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        (("keras", -0.1), ValueError, "momentum"),
        (("pytorch", 1.5), ValueError, "momentum"),
        (("keras", None), TypeError, "momentum"),  # only PyTorch knows None
        (("torch", 0.1), ValueError, "framework"),
        ((None, 0.1), TypeError, "framework"),
    ],
)
def test_bad_input_is_named(arguments, error, name):
    with pytest.raises(error, match=f"^{name} must"):
        kept_fraction(*arguments)
