"""What the frameworks do: their defaults, their conventions, and how to port a momentum.

Everywhere in this project `momentum` is the weight kept on the **old** estimate. PyTorch's number is
the weight of the *new* batch. This module is the only place that translates.

Most frameworks train alike: a mini-batch is normalised by its own mean and variance, divided by n. Two rows do not:
Equinox's default mode reads its running averages in training too, and makemore divides by n-1.
"""

from dataclasses import dataclass
from types import MappingProxyType

from bn_teach import _checks


@dataclass(frozen=True)
class Framework:
    """How one framework keeps the running statistics of batch norm.

    Attributes
    ----------
    name : str
        As people write it.
    momentum_weighs : str
        "old" if its momentum multiplies the old estimate, "new" if it multiplies the new batch.
    default_momentum : float or None
        In the framework's *own* convention; `kept_fraction` translates. None: the caller must say it.
    eps : float
        Default added to the variance under the root.
    running_var_unbiased : bool
        Whether the batch variance is multiplied by n/(n-1) before the running variance takes it in.
    initial_mean, initial_var : float or None
        Running statistics before the first update; None where there are none.
    single_example : str
        What training on a single value per channel does: "error", "beta" (every output is beta,
        whatever the input), "average" (it is normalised by the averages, as every batch is), "input" (it
        comes out as it went in, and moves no average), "nan" (on a GPU, as reported) or "nan everywhere".
    source : str
        Where this can be read, and what was run.
    training : str
        What a training batch is normalised by: its own statistics ("batch"), or the running averages,
        which it has just moved ("average"): there momentum changes training itself.
    training_var_unbiased : bool
        Whether the variance that a training batch is normalised by divides by n-1 instead of n.
    start : str
        What becomes of the initial statistics: they stay in the averages and fade ("kept"), what is read
        is divided by ``1 - p**t``, the weight of t batches in it, so that a start at 0 is gone ("divided"),
        or the first batch takes their place ("replaced").
    averages : str
        What the running variance is an average of: "variances", or "standard deviations" and then squared.
    """

    name: str
    momentum_weighs: str
    default_momentum: float | None
    eps: float
    running_var_unbiased: bool
    initial_mean: float | None
    initial_var: float | None
    single_example: str
    source: str
    training: str = "batch"
    training_var_unbiased: bool = False
    start: str = "kept"
    averages: str = "variances"


FRAMEWORKS = MappingProxyType(
    {
        "pytorch": Framework(
            "PyTorch", "new", 0.1, 1e-5, True, 0.0, 1.0, "error", "torch.nn.BatchNorm1d, torch.nn.functional.batch_norm"
        ),
        "mlx": Framework(
            "MLX",
            "new",
            0.1,
            1e-5,
            True,
            0.0,
            1.0,
            "error",
            "mlx.nn.BatchNorm (run: 0.32.4); before 0.32.1, ml-explore/mlx#3817, n and beta",
        ),
        "keras": Framework("Keras 3", "old", 0.99, 1e-3, False, 0.0, 1.0, "beta", "keras.layers.BatchNormalization"),
        "tf_keras_fused": Framework(
            "Keras 2, fused kernel (tf.keras up to 2.15)",
            "old",
            0.99,
            1e-3,
            True,
            0.0,
            1.0,
            "nan",
            "tf_keras.layers.BatchNormalization on images (run: 2.21; on rows it divides by n, as Keras 3 does); "
            "NaN as reported for GPUs, on a CPU the output is beta",
        ),
        "flax": Framework("Flax linen", "old", 0.99, 1e-5, False, 0.0, 1.0, "beta", "flax.linen.BatchNorm"),
        "flax_nnx": Framework("Flax nnx", "old", 0.99, 1e-5, False, 0.0, 1.0, "beta", "flax.nnx.BatchNorm"),
        "onnx": Framework(
            "ONNX (opset 15)",
            "old",
            0.9,
            1e-5,
            False,
            None,
            None,
            "beta",
            "ONNX operator BatchNormalization, opset 15, which stores momentum and epsilon as float32",
        ),
        "paddle": Framework(
            "PaddlePaddle",
            "old",
            0.9,
            1e-5,
            False,
            0.0,
            1.0,
            "input",
            "paddle.nn.BatchNorm1D (run: 3.3.1, on a CPU; on a GPU the running variance is left to cuDNN)",
        ),
        "cs231n": Framework(
            "CS231n", "old", 0.9, 1e-5, False, 0.0, 0.0, "beta", "CS231n assignment 2, layers.py, batchnorm_forward"
        ),
        "d2l": Framework(
            "d2l.ai (PyTorch tab)",
            "new",
            0.1,
            1e-5,
            False,
            0.0,
            1.0,
            "beta",
            "d2l.ai, section 8.5, Batch Normalization",
        ),
        "haiku": Framework(
            "Haiku",
            "old",
            None,
            1e-5,
            False,
            0.0,
            0.0,
            "beta",
            "haiku.BatchNorm, whose decay_rate has no default, and haiku.ExponentialMovingAverage",
            start="divided",
        ),
        "caffe": Framework(
            "Caffe",
            "old",
            0.999,
            1e-5,
            True,
            0.0,
            0.0,
            "beta",
            "BVLC/caffe, batch_norm_layer.cpp and caffe.proto (read): it keeps sums, and the sum of their weights to "
            "divide by; gamma and beta are in a Scale layer; a single value is taken in without n/(n-1)",
            start="divided",
        ),
        "equinox_batch": Framework(
            'Equinox, mode="batch"',
            "old",
            0.99,
            1e-5,
            False,
            0.0,
            1.0,
            "beta",
            "equinox.nn.BatchNorm; its variance starts at 1 and is divided as if it had started at 0",
            start="divided",
        ),
        "equinox_ema": Framework(
            'Equinox, default (mode="ema")',
            "old",
            0.99,
            1e-5,
            False,
            None,
            None,
            "average",
            "equinox.nn.BatchNorm; patrick-kidger/equinox#659 tells what came of it",
            training="average",
            start="replaced",
        ),
        "makemore": Framework(
            "makemore, part 3",
            "new",
            0.001,
            0.0,
            True,
            0.0,
            1.0,
            "nan everywhere",
            "karpathy/nn-zero-to-hero, makemore_part3_bn.ipynb (read): the first network; the class BatchNorm1d "
            "further down has PyTorch's 0.1 and 1e-5 and averages variances",
            training_var_unbiased=True,
            averages="standard deviations",
        ),
    }
)
"""Name to `Framework`, read-only."""


def kept_fraction(framework, momentum):
    """Translate a framework's momentum into ours: the weight kept on the old estimate.

    The translated number is the weight of the old estimate in every framework; what becomes of the initial statistics
    may differ (`Framework.start`). Where training itself reads the averages it changes training too: the example names
    those frameworks.

    Parameters
    ----------
    framework : str
        A name in `FRAMEWORKS`.
    momentum : float or None
        In that framework's own convention, in [0, 1]. None is PyTorch's cumulative average and
        stays None; other frameworks have no such thing.

    Returns
    -------
    float or None

    Examples
    --------
    >>> kept_fraction("pytorch", 0.1), kept_fraction("keras", 0.99), kept_fraction("mlx", 0.1)
    (0.9, 0.99, 0.9)
    >>> [name for name, framework in FRAMEWORKS.items() if framework.training == "average"]
    ['equinox_ema']
    """
    chosen = FRAMEWORKS[_checks.choice("framework", framework, tuple(FRAMEWORKS))]
    if momentum is None and framework == "pytorch":
        return None
    momentum = _checks.momentum(momentum)
    return momentum if chosen.momentum_weighs == "old" else 1 - momentum
