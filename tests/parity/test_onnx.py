"""ONNX beside ours, line by line, by the evaluator that defines what its operators mean.

It has no gradients. ONNX stores momentum and epsilon as float32, whatever the tensors are, so that
0.9 means 0.89999998; in float64 ours is told the same number.
"""

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS, kept_fraction

onnx = pytest.importorskip("onnx")
reference = pytest.importorskip("onnx.reference")

FRAMEWORK = f"ONNX {onnx.__version__}, opset 15"
C = 5
MOMENTA = [FRAMEWORKS["onnx"].default_momentum, 0.0, 0.5, 0.999]


def stored(number):
    """Round as an ONNX attribute does."""
    return float(np.float32(number))


def evaluator(rank, dtype, **attributes):
    """One BatchNormalization node as a model of its own."""
    outputs = ["y", "running_mean", "running_var"] if attributes["training_mode"] else ["y"]
    inputs = ["x", "scale", "bias", "mean", "var"]
    node = onnx.helper.make_node("BatchNormalization", inputs, outputs, **attributes)
    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    inputs, outputs = (
        [onnx.helper.make_tensor_value_info(name, element, [None] * (rank if name in "xy" else 1)) for name in names]
        for names in (inputs, outputs)
    )
    graph = onnx.helper.make_graph([node], "batch norm", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 15)])
    onnx.checker.check_model(model)
    return reference.ReferenceEvaluator(model)


def run(model, x, gamma, beta, mean, var):
    return model.run(None, {"x": x, "scale": gamma, "bias": beta, "mean": mean, "var": var})


def like_onnx(momentum=FRAMEWORKS["onnx"].default_momentum):
    eps = stored(FRAMEWORKS["onnx"].eps)
    return BatchNorm.like("onnx", C, momentum=kept_fraction("onnx", stored(momentum)), eps=eps)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_forward(shape, dtype, draw, agree, rounding):
    x, gamma, beta, _ = draw(shape, dtype)
    mean, var = np.zeros(C, dtype), np.ones(C, dtype)
    agree = agree(dtype, rounding(x))

    ours = like_onnx()
    ours.gamma, ours.beta = gamma, beta
    y = ours(x)

    y_onnx, _, _ = run(evaluator(len(shape), dtype, training_mode=1), x, gamma, beta, mean, var)
    agree("y", y, y_onnx)

    (y_onnx,) = run(evaluator(len(shape), dtype, training_mode=0), x, gamma, beta, mean, var)
    ours = like_onnx().eval()
    ours.gamma, ours.beta = gamma, beta
    agree("y, zero updates", ours(x), y_onnx)


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_running_statistics_over_200_steps(shape, dtype, momentum, stream, agree, rounding):
    batches = stream(dtype)
    agree = agree(dtype, rounding(*batches, updates=200))
    gamma, beta = np.ones(C, dtype), np.zeros(C, dtype)

    ours = like_onnx(momentum)
    theirs = evaluator(len(shape), dtype, training_mode=1, momentum=momentum)
    mean, var = np.zeros(C, dtype), np.ones(C, dtype)
    means, variances = [], []
    for x in batches:
        ours(x)
        _, mean, var = run(theirs, x, gamma, beta, mean, var)
        means.append((ours.running_mean, mean))
        variances.append((ours.running_var, var))

    agree("running mean, 200 steps", *zip(*means))
    agree("running variance, 200 steps", *zip(*variances))
    (y_onnx,) = run(evaluator(len(shape), dtype, training_mode=0), x, gamma, beta, mean, var)
    agree("y in inference", ours.eval()(x), y_onnx)


def test_like_takes_over_the_defaults_of_onnx():
    ours = BatchNorm.like("onnx", C)
    attributes = onnx.defs.get_schema("BatchNormalization", 15).attributes
    defaults = {name: attribute.default_value.f for name, attribute in attributes.items()}
    assert (stored(ours.momentum), stored(ours.eps)) == (defaults["momentum"], defaults["epsilon"])


def test_a_batch_of_one_comes_out_as_beta_and_shrinks_the_running_variance(draw, agree):
    agree = agree("float64")
    x, gamma, beta, _ = draw((1, C))

    ours = like_onnx()
    ours.gamma, ours.beta = gamma, beta
    y = ours(x)

    theirs = evaluator(2, "float64", training_mode=1)
    y_onnx, mean, var = run(theirs, x, gamma, beta, np.zeros(C), np.ones(C))

    agree("y, one example", y, y_onnx)
    agree("running mean, one example", ours.running_mean, mean)
    agree("running variance, one example", ours.running_var, var)
    assert np.array_equal(y, beta[None])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((4, C + 1)), r"x must have shape \(any, 5, \.\.\.\), got \(4, 6\)"),
        (np.ones(C), r"x must have shape \(any, 5, \.\.\.\), got \(5,\)"),
    ],
    ids=["wrong number of channels", "no batch axis"],
)
def test_input_that_onnx_refuses_is_refused(x, message):
    theirs = evaluator(x.ndim, "float64", training_mode=1)
    with pytest.raises((ValueError, IndexError)):
        run(theirs, x, np.ones(C), np.zeros(C), np.zeros(C), np.ones(C))
    with pytest.raises(ValueError, match=message):
        like_onnx()(x)
