"""What the frameworks do: their defaults, their conventions, and how to port a momentum.

Everywhere in this project `momentum` is the weight kept on the **old** estimate. PyTorch's number is
the weight of the *new* batch. This module is the only place that translates.
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
    default_momentum : float
        In the framework's *own* convention; `kept_fraction` translates.
    eps : float
        Default added to the variance under the root.
    running_var_unbiased : bool
        Whether the batch variance is multiplied by n/(n-1) before the running variance takes it in.
    initial_mean, initial_var : float or None
        Running statistics before the first update; None where the caller must pass them in.
    single_example : str
        What training on a single value per channel does: "error", "beta" (every output is beta,
        whatever the input) or "nan".
    source : str
        Where this can be read.
    """

    name: str
    momentum_weighs: str
    default_momentum: float
    eps: float
    running_var_unbiased: bool
    initial_mean: float | None
    initial_var: float | None
    single_example: str
    source: str


FRAMEWORKS = MappingProxyType(
    {
        "pytorch": Framework(
            "PyTorch", "new", 0.1, 1e-5, True, 0.0, 1.0, "error", "torch.nn.BatchNorm1d, torch.nn.functional.batch_norm"
        ),
        "keras": Framework("Keras 3", "old", 0.99, 1e-3, False, 0.0, 1.0, "beta", "keras.layers.BatchNormalization"),
        "tf_keras_fused": Framework(
            "tf.keras, fused kernel",
            "old",
            0.99,
            1e-3,
            True,
            0.0,
            1.0,
            "nan",
            "tf.compat.v1.nn.fused_batch_norm; NaN as reported for GPUs, on a CPU the output is beta (run: 2.21)",
        ),
        "flax": Framework("Flax", "old", 0.99, 1e-5, False, 0.0, 1.0, "beta", "flax.linen.BatchNorm"),
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
    }
)
"""Name to `Framework`, read-only."""


def kept_fraction(framework, momentum):
    """Translate a framework's momentum into ours: the weight kept on the old estimate.

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
    >>> kept_fraction("pytorch", 0.1), kept_fraction("keras", 0.99)
    (0.9, 0.99)
    """
    chosen = FRAMEWORKS[_checks.choice("framework", framework, tuple(FRAMEWORKS))]
    if momentum is None and framework == "pytorch":
        return None
    momentum = _checks.momentum(momentum)
    return momentum if chosen.momentum_weighs == "old" else 1 - momentum
