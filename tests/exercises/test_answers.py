"""Answers as learners write them, and what the check says of each: right ones, and wrong ones in many hands.

Of a wrong answer, the mistake is told by its name in `MISTAKES`; None is where no name fits, and the smallest example
is all that can be told. They are written out as in a notebook, and none was taken from the table of the check.
"""

import re
from collections import Counter

import numpy as np
import pytest

from bn_teach import exercises
from bn_teach.exercises import EXERCISES, MISTAKES, hint
from bn_teach.exercises.table import ASKS, GENERAL, ROWS


def defined(source):
    """Define the answer the way a notebook does: the last function of the cell is meant."""
    namespace = {"np": np}
    exec(f"f = {source}" if source.startswith("lambda") else source, namespace)
    return [f for key, f in namespace.items() if callable(f) and not key.startswith("_") and key != "np"][-1]


def check(name, source):
    return getattr(exercises, f"check_{name}")(defined(source))


def changed(source, *pairs):
    """Replace some of the text of a right answer."""
    for old, new in pairs:
        assert old in source
        source = source.replace(old, new)
    return source


# Right answers, each written in another style.

RIGHT = {
    "batch_statistics": [
        "lambda x: (np.mean(x, axis=0), np.var(x, axis=0))",
        """
def f(x):
    means, variances = [], []
    for j in range(x.shape[1]):
        column = [float(row[j]) for row in x]
        mean = sum(column) / len(column)
        means.append(mean)
        variances.append(sum((value - mean) ** 2 for value in column) / len(column))
    return [means, variances]
""",
        """
def f(x):
    x = x.astype(np.float32)
    mean = np.einsum("mc->c", x) / np.float32(len(x))
    return mean, np.einsum("mc,mc->c", x - mean, x - mean) / np.float32(len(x))
""",
        "lambda x: np.stack([x.mean(0), (x ** 2).mean(0) - x.mean(0) ** 2])",
        "lambda x: [np.mean(x.T, axis=1), np.diag(np.cov(x.T, bias=True).reshape(x.shape[1], -1))]",
    ],
    "normalize": [
        "lambda x, gamma, beta, eps: (x - x.mean(0)) / (x.var(0) + eps) ** 0.5 * gamma + beta",
        """
def f(x, gamma, beta, eps):
    y = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(len(gamma)):
            y[i, j] = gamma[j] * (x[i, j] - x[:, j].mean()) / np.sqrt(x[:, j].var() + eps) + beta[j]
    return y
""",
        """
def f(x, gamma, beta, eps):
    x, gamma, beta = np.float32(x), np.float32(gamma), np.float32(beta)
    scale = gamma / np.sqrt(x.var(axis=0) + np.float32(eps))
    return x * scale + (beta - x.mean(axis=0) * scale)
""",
        """
def f(x, gamma, beta, eps):
    wide = x.T
    hat = (wide - wide.mean(axis=1, keepdims=True)) / np.sqrt(wide.var(axis=1, keepdims=True) + eps)
    return (gamma[:, None] * hat + beta[:, None]).T
""",
        """
def f(x, *others, **nothing):
    gamma, beta, eps = others
    return np.einsum("c,mc->mc", gamma / np.sqrt(x.var(0) + eps), x - x.mean(0)).tolist() + beta
""",
    ],
    "running_average": [
        "lambda running, batch, momentum: momentum * running + (1 - momentum) * batch",
        "lambda running, batch, momentum: running + (1 - momentum) * (batch - running)",
        "lambda running, batch, momentum: [momentum * r + (1 - momentum) * b for r, b in zip(running, batch)]",
        "lambda running, batch, momentum: np.average([running, batch], axis=0, weights=[momentum, 1 - momentum])",
        "lambda running, batch, momentum: np.float32(batch) - np.float32(momentum) * np.float32(batch - running)",
    ],
    "debias": [
        "lambda running, momentum, step: running / (1 - momentum ** step)",
        """
def f(running, momentum, step):
    left = 1.0
    for _ in range(step):
        left *= momentum
    return [value / (1 - left) for value in running]
""",
        "lambda running, momentum, step: running / sum((1 - momentum) * momentum**k for k in range(step))",
        "lambda running, momentum, step: np.float32(running) / -np.expm1(np.float32(step * np.log(momentum)))",
        "lambda r, p, t: np.array([np.float32(v / (1 - p**t)) for v in r], dtype=object)",
    ],
    "inference": [
        "lambda x, m, v, gamma, beta, eps: gamma * (x - m) / np.sqrt(v + eps) + beta",
        """
def f(x, running_mean, running_var, gamma, beta, eps):
    scale = gamma / np.sqrt(running_var + eps)
    return np.float32(x) @ np.diag(scale).astype(np.float32) + np.float32(beta - running_mean * scale)
""",
        """
def f(x, running_mean, running_var, gamma, beta, eps):
    rows = []
    for row in x:
        columns = zip(row, running_mean, running_var, gamma, beta)
        rows.append(tuple(g * (value - m) * (v + eps) ** -0.5 + b for value, m, v, g, b in columns))
    return tuple(rows)
""",
        "lambda x, m, v, g, b, e: np.einsum('mc,c,c->mc', x - m, g, 1 / np.sqrt(v + e)) + b",
    ],
    "layer": [
        """
def f(state, x, training):
    s = dict(state)
    if training:
        s["running_mean"] = s["momentum"] * s["running_mean"] + (1 - s["momentum"]) * x.mean(0)
        s["running_var"] = s["momentum"] * s["running_var"] + (1 - s["momentum"]) * x.var(0, ddof=1)
        return s["gamma"] * (x - x.mean(0)) / np.sqrt(x.var(0) + s["eps"]) + s["beta"], s
    return s["gamma"] * (x - s["running_mean"]) / np.sqrt(s["running_var"] + s["eps"]) + s["beta"], state
""",
        """
import copy
def f(state, x, training):
    new = copy.deepcopy(state)
    mean, var = (x.mean(0), x.var(0)) if training else (state["running_mean"], state["running_var"])
    if training:
        m = x.shape[0]
        new["running_mean"] *= state["momentum"]
        new["running_mean"] += (1 - state["momentum"]) * mean
        new["running_var"] -= (1 - state["momentum"]) * (state["running_var"] - m / (m - 1) * var)
        new["num_batches_tracked"] = new.get("num_batches_tracked", 0) + 1
    x -= 0
    return [(x - mean) / np.sqrt(var + new["eps"]) * new["gamma"] + new["beta"], new]
""",
        """
def f(state, x, training):
    x = x.astype("float32")
    gamma, beta, running_mean, running_var, p, eps = (np.float32(state[k]) for k in (
        "gamma", "beta", "running_mean", "running_var", "momentum", "eps"))
    if not training:
        scale = gamma / np.sqrt(running_var + eps)
        return scale * x + (beta - scale * running_mean), {**state}
    m = len(x)
    mean = x.sum(0) / m
    squares = ((x - mean) ** 2).sum(0)
    y = gamma * (x - mean) / np.sqrt(squares / m + eps) + beta
    return y, {**state, "running_mean": p * running_mean + (1 - p) * mean,
               "running_var": p * running_var + (1 - p) * squares / (m - 1)}
""",
        """
def f(state, x, training):
    out, rm, rv = [], [], []
    for j in range(x.shape[1]):
        c = [float(v) for v in x[:, j]]
        mu, s2 = float(state["running_mean"][j]), float(state["running_var"][j])
        if training:
            mean = sum(c) / len(c)
            var = sum((v - mean) ** 2 for v in c) / len(c)
            rm.append(mu + (1 - state["momentum"]) * (mean - mu))
            rv.append(s2 + (1 - state["momentum"]) * (var * len(c) / (len(c) - 1) - s2))
            mu, s2 = mean, var
        else:
            rm.append(mu)
            rv.append(s2)
        hat = [(v - mu) / (s2 + state["eps"]) ** 0.5 for v in c]
        out.append([float(state["gamma"][j]) * v + float(state["beta"][j]) for v in hat])
    return np.array(out).T, {**state, "running_mean": rm, "running_var": rv}
""",
    ],
    "backward": [
        """
def f(dy, x, gamma, eps):
    r = 1 / np.sqrt(x.var(0) + eps)
    hat = (x - x.mean(0)) * r
    return gamma * r * (dy - dy.mean(0) - hat * (dy * hat).mean(0)), (dy * hat).sum(0), dy.sum(0)
""",
        """
def f(dy, x, gamma, eps):  # the six gradients of the paper, one after the other
    m = x.shape[0]
    mu, var = x.mean(axis=0), x.var(axis=0)
    hat = (x - mu) / np.sqrt(var + eps)
    dhat = dy * gamma
    dvar = np.sum(dhat * (x - mu), axis=0) * -0.5 * (var + eps) ** -1.5
    dmu = np.sum(dhat * -1 / np.sqrt(var + eps), axis=0) + dvar * np.sum(-2 * (x - mu), axis=0) / m
    dx = dhat / np.sqrt(var + eps) + dvar * 2 * (x - mu) / m + dmu / m
    return dx, np.sum(dy * hat, axis=0), np.sum(dy, axis=0)
""",
        """
def f(dy, x, gamma, eps):
    dy, x, gamma = dy.astype(np.float32), x.astype(np.float32), gamma.astype(np.float32)
    m = np.float32(len(x))
    r = (x.var(0) + np.float32(eps)) ** np.float32(-0.5)
    hat = np.einsum("mc,c->mc", x - x.mean(0), r)
    dgamma, dbeta = np.einsum("mc,mc->c", dy, hat), np.einsum("mc->c", dy)
    return [gamma * r / m * (m * dy - dbeta - hat * dgamma), list(dgamma), list(dbeta)]
""",
        """
def f(dy, x, gamma, eps):
    m, n = x.shape
    dx, dgamma, dbeta = np.zeros((m, n)), [0.0] * n, [0.0] * n
    for j in range(n):
        s = np.sqrt(x[:, j].var() + eps)
        hat = (x[:, j] - x[:, j].mean()) / s
        jacobian = (np.eye(m) - 1 / m - np.outer(hat, hat) / m) / s
        dx[:, j] = gamma[j] * jacobian @ dy[:, j]
        dgamma[j] += hat @ dy[:, j]
        dbeta[j] += sum(dy[:, j])
    return dx, dgamma, dbeta
""",
        """
def f(dy, x, gamma, eps):  # by finite differences
    def loss(x, gamma, beta):
        return (dy * (gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta)).sum()
    def slope(g, at, h=1e-5):
        out = np.zeros_like(at)
        for i in np.ndindex(at.shape):
            step = np.zeros_like(at)
            step[i] = h
            out[i] = (g(at + step) - g(at - step)) / (2 * h)
        return out
    zero = np.zeros_like(gamma)
    return (slope(lambda v: loss(v, gamma, zero), x), slope(lambda v: loss(x, v, zero), gamma),
            slope(lambda v: loss(x, gamma, v), zero))
""",
    ],
    "population": [
        "lambda means, variances, m: (means.mean(0), m / (m - 1) * variances.mean(0))",
        """
def f(means, variances, m):
    B, C = means.shape
    mean = [sum(means[b][c] for b in range(B)) / B for c in range(C)]
    var = [sum(variances[b][c] * m / (m - 1) for b in range(B)) / B for c in range(C)]
    return mean, var
""",
        """
def f(means, variances, m):
    w = np.full(len(means), 1 / len(means), dtype=np.float32)
    return w @ means.astype(np.float32), (w @ variances.astype(np.float32)) / np.float32(1 - 1 / m)
""",
        "lambda a, b, m: np.array([np.einsum('bc->c', a), np.einsum('bc->c', b) * m / (m - 1)]) / len(a)",
    ],
}


UNUSUAL = [
    ("batch_statistics", """
def batch_statistics(x):  # Welford, one example after the other
    mean = squares = 0.0
    for k, row in enumerate(x, 1):
        delta = row - mean
        mean = mean + delta / k
        squares = squares + delta * (row - mean)
    return mean, squares / k
"""),
    ("batch_statistics", """
def batch_statistics(x):  # half the mean squared distance of all pairs
    distance = x[:, None] - x[None]
    return np.ones(len(x)) @ x / len(x), (distance**2).mean(axis=(0, 1)) / 2
"""),
    ("batch_statistics", """
import statistics
from collections import namedtuple
def batch_statistics(x):
    Moments = namedtuple("Moments", "mean var")
    columns = list(zip(*x.tolist()))
    return Moments(tuple(map(statistics.fmean, columns)), tuple(map(statistics.pvariance, columns)))
"""),
    ("normalize", """
class Norm:
    def __call__(self, x, gamma, beta, eps):
        x = x - np.add.reduce(x) / len(x)
        return x / np.hypot(np.linalg.norm(x, axis=0) / len(x) ** 0.5, eps**0.5) * gamma + beta
normalize = Norm()
"""),
    ("normalize", """
from functools import partial
def general(axis, x, gamma, beta, eps):
    return gamma * (x - x.mean(axis, keepdims=True)) * (x.var(axis, keepdims=True) + eps) ** -0.5 + beta
normalize = partial(general, 0)
"""),
    ("running_average", """
def running_average(running, batch, momentum):
    return tuple(np.interp(1 - momentum, [0, 1], [r, b]) for r, b in zip(running, batch))
"""),
    ("running_average", """
from fractions import Fraction
def running_average(running, batch, momentum):
    p = Fraction(momentum)
    return [p * Fraction(r) + (1 - p) * Fraction(b) for r, b in zip(running, batch)]
"""),
    ("running_average", """
def running_average(value, newest, weight):
    value = value.copy()
    value *= weight
    value += newest - weight * newest
    return value
"""),
    ("debias", """
def debias(running, momentum, step):
    if step == 1:
        return running / (1 - momentum)
    return running * (1 - momentum) / (1 - momentum**step) / (1 - momentum)
"""),
    ("debias", """
def debias(running, momentum, step):
    ones = 0.0
    for _ in range(step):
        ones = momentum * ones + (1 - momentum) * 1.0
    print("weight of the batches", ones, end="")
    return np.divide(running, ones)
"""),
    ("inference", """
def inference(x, *shelf):
    mean, var, gamma, beta, eps = shelf
    weight = gamma / np.sqrt(var + eps)
    return np.vectorize(lambda v, w, c: v * w + c)(x, weight, beta - mean * weight)
"""),
    ("inference", """
def inference(x, running_mean, running_var, gamma, beta, eps):
    out = np.full(x.shape, np.nan, order="F")
    for i in np.ndindex(x.shape):
        j = i[1]
        out[i] = gamma[j] * np.exp(-0.5 * np.log(running_var[j] + eps)) * (x[i] - running_mean[j]) + beta[j]
    return np.ma.masked_array(out)
"""),
    ("layer", """
def layer(state, x, training):
    def running(name, value):
        return state[name] + (1 - state["momentum"]) * (value - state[name]) if training else state[name]
    mean = x.mean(0) if training else state["running_mean"]
    var = x.var(0) if training else state["running_var"]
    y = np.multiply(state["gamma"], x - mean) / np.sqrt(np.add(var, state["eps"])) + state["beta"]
    return y, state | {
        "running_mean": running("running_mean", mean),
        "running_var": running("running_var", np.var(x, 0, ddof=1)),
        "seen": len(x),
    }
"""),
    ("layer", """
def layer(state, x, training):
    from collections import OrderedDict
    new = OrderedDict((key, np.copy(value)) for key, value in state.items())
    if not training:
        return (x - new["running_mean"]) / (new["running_var"] + new["eps"]) ** 0.5 * new["gamma"] + new["beta"], new
    old, m = {**new}, x.shape[0]
    weights = [old["momentum"], 1 - old["momentum"]]
    spread = np.atleast_2d(np.cov(x.T)).diagonal()
    new["running_mean"] = np.average([old["running_mean"], x.mean(0)], axis=0, weights=weights)
    new["running_var"] = np.average([old["running_var"], spread], axis=0, weights=weights)
    return (x - x.mean(0)) / (spread * (m - 1) / m + old["eps"]) ** 0.5 * old["gamma"] + old["beta"], new
"""),
    ("backward", """
def backward(dy, x, gamma, eps):  # centre, scale, centre: a projection
    def centred(v):
        return v - v.mean(axis=0)
    scale = np.sqrt((centred(x) ** 2).mean(axis=0) + eps)
    hat = centred(x) / scale
    dgamma = np.einsum("ij,ij->j", centred(dy), hat)
    return centred(gamma / scale * (centred(dy) - hat * dgamma / len(x))), dgamma, dy.T @ np.ones(len(dy))
"""),
    ("backward", """
def backward(dy, x, gamma, eps):  # one example at a time: complex steps, exact to rounding
    m, channels = x.shape
    def y(values, j):
        d = values - values.mean()
        return gamma[j] * d / ((d * d).mean() + eps) ** 0.5
    dx = np.empty_like(x)
    for j in range(channels):
        for i in range(m):
            step = np.zeros(m, dtype=complex)
            step[i] = 1e-20j
            dx[i, j] = (dy[:, j] @ y(x[:, j] + step, j)).imag / 1e-20
    hat = [y(x[:, j], j) / gamma[j] for j in range(channels)]
    return dx, [float(dy[:, j] @ hat[j]) for j in range(channels)], dy.sum(0)
"""),
    ("population", """
def population(batch_means, batch_variances, m):
    mean = var = 0
    for k in range(len(batch_means)):
        mean = mean + (batch_means[k] - mean) / (k + 1)
        var = var + (m * batch_variances[k] / (m - 1) - var) / (k + 1)
    return {"mean": mean, "var": var}.values().__iter__().__next__(), var
"""),
    ("population", """
def population(means, variances, size, *, ddof=1):
    both = np.dstack([means, variances * size / (size - ddof)]).mean(axis=0).T
    return both
"""),
]  # fmt: skip


# Mistakes, written as learners write them: (exercise, mistake, source).

PLANTED = [
    ("batch_statistics", "unbiased-variance", """
def f(x):
    mean = sum(x) / len(x)
    return mean, sum((x - mean) ** 2) / (len(x) - 1)
"""),
    ("batch_statistics", "std-returned", "lambda x: (np.mean(x, 0), np.std(x, 0))"),
    ("batch_statistics", "variance-around-zero", "lambda x: (x.mean(0), np.einsum('mc,mc->c', x, x) / len(x))"),
    ("batch_statistics", "deviation-not-squared", "lambda x: (x.mean(0), abs(x - x.mean(0)).mean(0))"),
    ("batch_statistics", "deviations-cancel", "lambda x: (x.mean(0), (x - x.mean(0)).mean(0))"),
    ("batch_statistics", "sum-instead-of-mean", "lambda x: (x.mean(0), ((x - x.mean(0)) ** 2).sum(0))"),
    ("batch_statistics", "wrong-axis", "lambda x: (np.mean(x, -1), np.var(x, -1))"),
    ("batch_statistics", "all-elements", "lambda x: (np.mean(x), np.var(x))"),
    ("batch_statistics", "not-averaged", "lambda x: (x.mean(0), np.square(x - x.mean(0)))"),
    ("batch_statistics", "mean-variance-swapped", "lambda x: (np.var(x, 0), np.mean(x, 0))"),
    ("normalize", "unbiased-variance", """
def f(x, gamma, beta, eps):
    mu = x.mean(0)
    var = np.sum((x - mu) ** 2, axis=0) / (x.shape[0] - 1)
    return gamma * (x - mu) / np.sqrt(var + eps) + beta
"""),
    ("normalize", "wrong-axis", """
def f(x, gamma, beta, eps):
    mu = x.mean(axis=1)
    var = x.var(axis=1)
    return gamma * (x - mu) / np.sqrt(var + eps) + beta
"""),
    ("normalize", "wrong-axis", """
def f(x, gamma, beta, eps):
    return np.array([gamma * (row - row.mean()) / np.sqrt(row.var() + eps) + beta for row in x])
"""),
    ("normalize", "all-elements", "lambda x, g, b, eps: g * (x - x.mean()) / np.sqrt(x.var() + eps) + b"),
    ("normalize", "mean-variance-swapped", """
def f(x, gamma, beta, eps):
    var, mean = x.mean(0), x.var(0)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta
"""),
    ("normalize", "eps-outside-root", "lambda x, g, b, eps: g * (x - x.mean(0)) / (x.std(0) + eps) + b"),
    ("normalize", "eps-forgotten", "lambda x, g, b, eps: g * (x - x.mean(0)) / x.std(0) + b"),
    ("normalize", "eps-forgotten", "lambda x, g, b, eps: g * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + b"),
    ("normalize", "root-forgotten", "lambda x, g, b, eps: g * ((x - x.mean(0)) / (x.var(0) + eps)) + b"),
    ("normalize", "root-taken-twice", "lambda x, g, b, eps: g * (x - x.mean(0)) / np.sqrt(x.std(0) + eps) + b"),
    ("normalize", "mean-not-subtracted", "lambda x, g, b, eps: g * x / np.sqrt(x.var(0) + eps) + b"),
    ("normalize", "spread-not-divided", "lambda x, g, b, eps: g * (x - x.mean(0)) + b"),
    ("normalize", "gamma-beta-forgotten", "lambda x, g, b, eps: (x - x.mean(0)) / np.sqrt(x.var(0) + eps)"),
    ("normalize", "gamma-forgotten", "lambda x, g, b, eps: (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + b"),
    ("normalize", "beta-forgotten", "lambda x, g, b, eps: g * (x - x.mean(0)) / np.sqrt(x.var(0) + eps)"),
    ("normalize", "gamma-beta-swapped", "lambda x, b, g, eps: g * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + b"),
    ("normalize", "beta-subtracted", "lambda x, g, b, eps: g * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) - b"),
    ("normalize", "gamma-divided", "lambda x, g, b, eps: (x - x.mean(0)) / np.sqrt(x.var(0) + eps) / g + b"),
    ("normalize", "variance-squared", "lambda x, g, b, eps: g * (x - x.mean(0)) / np.sqrt(x.var(0) ** 2 + eps) + b"),
    ("normalize", "multiplied-by-spread", "lambda x, g, b, eps: g * (x - x.mean(0)) * np.sqrt(x.var(0) + eps) + b"),
    ("normalize", "deviation-reversed", "lambda x, g, b, eps: b + (x.mean(0) - x) * g / np.sqrt(x.var(0) + eps)"),
    ("normalize", "beta-scaled", "lambda x, g, b, eps: g * ((x - x.mean(0)) / np.sqrt(x.var(0) + eps) + b)"),
    ("running_average", "momentum-reversed", "lambda r, b, p: r + p * (b - r)"),
    ("running_average", "new-value-unweighted", "lambda r, b, p: r * p + b"),
    ("running_average", "old-value-unweighted", "lambda r, b, p: r + (1 - p) * b"),
    ("running_average", "both-unweighted", "lambda r, b, p: np.add(r, b)"),
    ("running_average", "momentum-ignored", "lambda r, b, p: np.mean([r, b], axis=0)"),
    ("running_average", "never-updated", "lambda r, b, p: r"),
    ("running_average", "wholly-replaced", "lambda r, b, p: b.copy()"),
    ("running_average", "old-value-forgotten", "lambda r, b, p: b - p * b"),
    ("running_average", "new-value-forgotten", "lambda r, b, p: [p * value for value in r]"),
    ("debias", "momentum-reversed", "lambda r, p, t: r / (1 - np.power(1 - p, t))"),
    ("debias", "not-debiased", "lambda r, p, t: r.copy()"),
    ("debias", "wrong-power", "lambda r, p, t: r / (1 - p ** (t - 1))"),
    ("debias", "wrong-power", "lambda r, p, t: r / (1 - np.exp((t + 1) * np.log(p)))"),
    ("debias", "wrong-power", "lambda r, p, t: r / (1 - p)"),
    ("debias", "product-instead-of-power", "lambda r, p, t: r / (1 - p * t)"),
    ("debias", "debiased-upside-down", "lambda r, p, t: r - r * p**t"),
    ("debias", "weight-below-zero", "lambda r, p, t: r / (p**t - 1)"),
    ("debias", "start-weight-added", "lambda r, p, t: r / (1 + p**t)"),
    ("debias", "divided-by-start-weight", "lambda r, p, t: r / p**t"),
    ("debias", "initial-value-wrong", "lambda r, p, t: (r - p**t * 1.0) / (1 - p**t)"),
    ("inference", "eps-outside-root", "lambda x, m, v, g, b, eps: g * (x - m) / (v ** 0.5 + eps) + b"),
    ("inference", "eps-forgotten", "lambda x, m, v, g, b, eps: g * (x - m) / v ** 0.5 + b"),
    ("inference", "root-forgotten", "lambda x, m, v, g, b, eps: g * (x - m) / (v + eps) + b"),
    ("inference", "mean-variance-swapped", "lambda x, v, m, g, b, eps: g * (x - m) / (v + eps) ** 0.5 + b"),
    ("inference", "beta-forgotten", "lambda x, m, v, g, b, eps: g * (x - m) / (v + eps) ** 0.5"),
    ("inference", "gamma-beta-swapped", "lambda x, m, v, b, g, eps: g * (x - m) / (v + eps) ** 0.5 + b"),
    ("inference", "gamma-beta-forgotten", "lambda x, m, v, g, b, eps: (x - m) / (v + eps) ** 0.5"),
    ("inference", "batch-statistics-at-inference", """
def f(x, m, v, g, b, eps):
    mean, var = x.mean(axis=0), x.var(axis=0)
    return g * (x - mean) / np.sqrt(var + eps) + b
"""),
    ("backward", "mean-path-forgotten", """
def f(dy, x, gamma, eps):
    m, mu, var = len(x), x.mean(0), x.var(0)
    hat = (x - mu) / np.sqrt(var + eps)
    dhat = dy * gamma
    dvar = (dhat * (x - mu)).sum(0) * -0.5 * (var + eps) ** -1.5
    return dhat / np.sqrt(var + eps) + dvar * 2 * (x - mu) / m, (dy * hat).sum(0), dy.sum(0)
"""),
    ("backward", "variance-path-forgotten", """
def f(dy, x, gamma, eps):
    hat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    dhat = dy * gamma
    dmu = -dhat.sum(0) / np.sqrt(x.var(0) + eps)
    return dhat / np.sqrt(x.var(0) + eps) + dmu / len(x), (dy * hat).sum(0), dy.sum(0)
"""),
    ("backward", "both-paths-forgotten", """
def f(dy, x, gamma, eps):
    s = np.sqrt(x.var(0) + eps)
    return dy * gamma / s, (dy * (x - x.mean(0)) / s).sum(0), dy.sum(0)
"""),
    ("backward", "factor-two-wrong", """
def f(dy, x, gamma, eps):
    m, mu, var = len(x), x.mean(0), x.var(0)
    hat = (x - mu) / np.sqrt(var + eps)
    dhat = dy * gamma
    dvar = (dhat * (x - mu)).sum(0) * -0.5 * (var + eps) ** -1.5
    dmu = -dhat.sum(0) / np.sqrt(var + eps)
    return dhat / np.sqrt(var + eps) + dvar * (x - mu) / m + dmu / m, (dy * hat).sum(0), dy.sum(0)
"""),
    *(("backward", mistake, f"""
def f(dy, x, gamma, eps):
    r = 1 / np.sqrt(x.var(0) + eps)
    hat = (x - x.mean(0)) * r
    dx = gamma * r * (dy - dy.mean(0) - hat * (dy * hat).mean(0))
    dgamma, dbeta = (dy * hat).sum(0), dy.sum(0)
    {change}
    return dx, dgamma, dbeta
""") for mistake, change in (
        ("gamma-forgotten", "dx = dx / gamma"),
        ("direct-path-forgotten", "dx = dx - gamma * r * dy"),
        ("wrong-sign", "dx = gamma * r * (dy - dy.mean(0) + hat * (dy * hat).mean(0))"),
        ("sum-instead-of-mean", "dx = gamma * r * (dy - dbeta - hat * dgamma)"),
        ("dgamma-dbeta-swapped", "dgamma, dbeta = dbeta, dgamma"),
        ("gradient-averaged", "dgamma, dbeta = dgamma / len(x), dbeta / len(x)"),
        ("gradient-not-summed", "dgamma = dy * hat"),
        ("dgamma-raw-input", "dgamma = (dy * x).sum(0)"),
        ("dgamma-centred-input", "dgamma = dgamma / r"),
        ("dgamma-scaled-by-gamma", "dgamma = dgamma * gamma"),
        ("all-elements", "dgamma, dbeta = np.sum(dy * hat), np.sum(dy)"),
        ("wrong-axis", "dgamma, dbeta = np.sum(dy * hat, axis=1), np.sum(dy, axis=1)"),
    )),
    *(("backward", mistake, f"""
def f(dy, x, gamma, eps):
    r = {r}
    hat = (x - x.mean(0)) * r
    return gamma * r * (dy - dy.mean(0) - hat * (dy * hat).mean(0)), (dy * hat).sum(0), dy.sum(0)
""") for mistake, r in (
        ("eps-outside-root", "1 / (x.std(0) + eps)"),
        ("eps-forgotten", "1 / x.std(0)"),
        ("root-forgotten", "1 / (x.var(0) + eps)"),
        ("unbiased-variance", "1 / np.sqrt(x.var(0, ddof=1) + eps)"),
    )),
    ("population", "biased-variance", "lambda a, b, m: (a.mean(0), b.mean(0))"),
    ("population", "correction-upside-down", "lambda a, b, m: (a.mean(0), b.mean(0) * (1 - 1 / m))"),
    ("population", "variance-of-means", "lambda a, b, m: (a.mean(0), a.var(0))"),
    ("population", "variance-of-means", "lambda a, b, m: (a.mean(0), m / (m - 1) * np.var(a, 0))"),
    ("population", "variance-of-means-added", "lambda a, b, m: (a.mean(0), b.mean(0) + a.var(0))"),
    ("population", "last-batch-only", "lambda a, b, m: (a[-1], b[-1])"),
    ("population", "last-batch-only", "lambda a, b, m: (a[len(a) - 1], b[len(b) - 1] / (1 - 1 / m))"),
    ("population", "std-averaged", "lambda a, b, m: (a.mean(0), np.sqrt(b).mean(0))"),
    ("population", "std-averaged", "lambda a, b, m: (a.mean(0), (b**.5).mean(0) ** 2 * m / (m - 1))"),
    ("population", "std-returned", "lambda a, b, m: (a.mean(0), (b.mean(0) / (1 - 1 / m)) ** 0.5)"),
    ("population", "correction-counts-batches", "lambda a, m_, m: (a.mean(0), m_.sum(0) / (len(a) - 1))"),
    ("population", "mean-corrected", "lambda a, b, m: tuple(v.mean(0) * m / (m - 1) for v in (a, b))"),
    ("population", "mean-variance-swapped", "lambda a, b, m: (b.mean(0) * m / (m - 1), a.mean(0))"),
    ("population", "sum-instead-of-mean", "lambda a, b, m: (a.mean(0), b.sum(0) * m / (m - 1))"),
    ("population", "all-elements", "lambda a, b, m: (np.mean(a), np.mean(b) * m / (m - 1))"),
    ("population", "wrong-axis", "lambda a, b, m: (a.mean(1), b.mean(1) * m / (m - 1))"),
]  # fmt: skip

LAYER = """
def f(state, x, training):
    p, eps, new = state["momentum"], state["eps"], dict(state)
    mean, var = x.mean(axis=0), x.var(axis=0)
    taken_mean, taken_var = mean, x.var(axis=0, ddof=1)
    if training:
        new["running_mean"] = p * state["running_mean"] + (1 - p) * taken_mean
        new["running_var"] = p * state["running_var"] + (1 - p) * taken_var
    else:
        mean, var = state["running_mean"], state["running_var"]
    y = state["gamma"] * (x - mean) / np.sqrt(var + eps) + state["beta"]
    return y, new
"""
UPDATE = 'p * state["running_mean"] + (1 - p) * taken_mean', 'p * state["running_var"] + (1 - p) * taken_var'
Y = 'state["gamma"] * (x - mean) / np.sqrt(var + eps) + state["beta"]'


def updated(mean, var):
    return changed(LAYER, (UPDATE[0], mean), (UPDATE[1], var))


PLANTED += [
    ("layer", mistake, source)
    for mistake, source in (
        (
            "biased-variance",
            changed(
                LAYER, ("taken_mean, taken_var = mean, x.var(axis=0, ddof=1)", "taken_mean, taken_var = mean, var")
            ),
        ),
        (
            "unbiased-variance",
            changed(
                LAYER,
                ("mean, var = x.mean(axis=0), x.var(axis=0)\n", "mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)\n"),
            ),
        ),
        ("std-averaged", changed(LAYER, ("mean, x.var(axis=0, ddof=1)", "mean, x.std(axis=0)"))),
        ("std-averaged", changed(LAYER, ("mean, x.var(axis=0, ddof=1)", "mean, x.std(axis=0, ddof=1)"))),
        (
            "correction-upside-down",
            changed(LAYER, ("mean, x.var(axis=0, ddof=1)", "mean, var * (len(x) - 1) / len(x)")),
        ),
        (
            "corrected-when-read",
            changed(LAYER, ('state["running_var"]\n    y', 'state["running_var"] * len(x) / (len(x) - 1)\n    y')),
        ),
        ("mean-variance-swapped", changed(LAYER, ("taken_mean, taken_var = mean", "taken_var, taken_mean = mean"))),
        (
            "momentum-reversed",
            updated('(1 - p) * state["running_mean"] + p * mean', '(1 - p) * state["running_var"] + p * taken_var'),
        ),
        ("new-value-unweighted", updated('p * state["running_mean"] + mean', 'p * state["running_var"] + taken_var')),
        ("never-updated", updated('state["running_mean"]', 'state["running_var"]')),
        ("wholly-replaced", updated("mean", "taken_var")),
        ("wholly-replaced", updated("mean", "var")),
        ("new-value-unweighted", updated('p * state["running_mean"] + mean', 'p * state["running_var"] + var')),
        ("one-statistic-not-updated", updated(UPDATE[0], 'state["running_var"]')),
        ("initial-value-wrong", updated("p * 0 + (1 - p) * mean", "p * 1 + (1 - p) * taken_var")),
        (
            "batch-statistics-at-inference",
            changed(LAYER, ('mean, var = state["running_mean"], state["running_var"]', "pass")),
        ),
        (
            "updated-at-inference",
            changed(LAYER, ("if training:", "for _ in [1]:"), ("    else:\n", "    if not training:\n")),
        ),
        (
            "updated-at-inference",
            changed(
                LAYER,
                ("if training:", "if True:"),
                ("    else:\n", "    if not training:\n"),
                (
                    'mean, var = state["running_mean"], state["running_var"]',
                    'mean, var = new["running_mean"], new["running_var"]',
                ),
            ),
        ),
        ("training-flag-ignored", changed(LAYER, ("if training:", "if True:"))),
        ("training-flag-ignored", changed(LAYER, ("if training:", "if False:"))),
        ("training-flag-reversed", changed(LAYER, ("if training:", "if not training:"))),
        (
            "running-statistics-in-training",
            changed(LAYER, ("    y = ", '    mean, var = new["running_mean"], new["running_var"]\n    y = ')),
        ),
        (
            "running-statistics-in-training",
            changed(LAYER, ("    y = ", '    mean, var = state["running_mean"], state["running_var"]\n    y = ')),
        ),
        (
            "statistics-of-output",
            """
def f(state, x, training):
    p, new = state["momentum"], dict(state)
    if not training:
        hat = (x - state["running_mean"]) / np.sqrt(state["running_var"] + state["eps"])
    else:
        x = hat = (x - x.mean(0)) / np.sqrt(x.var(0) + state["eps"])
        new["running_mean"] = p * state["running_mean"] + (1 - p) * x.mean(0)
        new["running_var"] = p * state["running_var"] + (1 - p) * x.var(0, ddof=1)
    return state["gamma"] * hat + state["beta"], new
""",
        ),
        (
            "wrong-axis",
            changed(
                LAYER,
                ("x.mean(axis=0), x.var(axis=0)\n", "x.mean(axis=1), x.var(axis=1)\n"),
                ("x.var(axis=0, ddof=1)", "var * len(x) / (len(x) - 1)"),
            ),
        ),
        (
            "all-elements",
            changed(
                LAYER,
                ("x.mean(axis=0), x.var(axis=0)\n", "np.mean(x), np.var(x)\n"),
                ("x.var(axis=0, ddof=1)", "np.var(x, ddof=1)"),
            ),
        ),
        ("eps-outside-root", changed(LAYER, ("np.sqrt(var + eps)", "(np.sqrt(var) + eps)"))),
        ("eps-forgotten", changed(LAYER, ("np.sqrt(var + eps)", "np.sqrt(var)"))),
        ("root-forgotten", changed(LAYER, ("np.sqrt(var + eps)", "(var + eps)"))),
        ("gamma-beta-forgotten", changed(LAYER, (Y, "(x - mean) / np.sqrt(var + eps)"))),
        (
            "gamma-beta-swapped",
            changed(LAYER, ('state["gamma"]', "G"), ('state["beta"]', 'state["gamma"]'), ("= G", '= state["beta"]')),
        ),
    )
]


BACKWARD = """
def backward(dy, x, gamma, eps):
    m = len(dy)
    sigma = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / sigma
    dgamma = np.sum(dy * x_hat, axis=0)
    dbeta = np.sum(dy, axis=0)
    dx = gamma / sigma * (dy - dbeta / m - x_hat * dgamma / m)
    return dx, dgamma, dbeta
"""


WRONG = [
    # batch_statistics
    ("batch_statistics", "deviations-cancel", """
def batch_statistics(x):
    mean = x.mean(axis=0)
    var = ((x - mean).mean()) ** 2
    return mean, var
"""),
    ("batch_statistics", "deviations-cancel", """
def batch_statistics(x):
    mean = np.sum(x, axis=0) / x.shape[0]
    var = np.square(np.mean(x - mean, axis=0))
    return mean, var
"""),
    ("batch_statistics", "trailing-comma", """
def batch_statistics(x):
    mean = x.mean(axis=0),
    var = ((x - mean) ** 2).mean(axis=0)
    return mean, var
"""),
    ("batch_statistics", "all-elements", """
def batch_statistics(x):
    mean = x.mean(axis=0)
    var = ((x - mean) ** 2).mean()
    return mean, var
"""),
    ("batch_statistics", "all-elements", "def batch_statistics(x): return np.sum(x), np.sum((x - np.mean(x)) ** 2)"),
    ("batch_statistics", "divided-by-wrong-number", """
def batch_statistics(x):
    m = x.shape[1]
    mean = x.sum(axis=0) / m
    var = ((x - mean) ** 2).sum(axis=0) / m
    return mean, var
"""),
    ("batch_statistics", "brackets-missing", """
def batch_statistics(x):
    mean = x.mean(axis=0)
    var = (x - mean ** 2).mean(axis=0)
    return mean, var
"""),
    ("batch_statistics", "shortcut-wrong", """
def batch_statistics(x):
    mean = x.mean(axis=0)
    return mean, (x * x).mean(axis=0) - mean
"""),
    ("batch_statistics", "wrong-count", "def batch_statistics(x): return x.mean(axis=0)"),
    # normalize
    ("normalize", "transposed", """
def normalize(x, gamma, beta, eps):
    y = gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta
    return y.T
"""),
    ("normalize", "transposed", """
def normalize(x, gamma, beta, eps):
    channels = []
    for column, g, b in zip(x.T, gamma, beta):
        channels.append(g * (column - column.mean()) / np.sqrt(column.var() + eps) + b)
    return np.array(channels)
"""),
    ("normalize", "trailing-comma", """
def normalize(x, gamma, beta, eps):
    x_hat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    return gamma * x_hat + beta,
"""),
    ("normalize", "root-forgotten", """
def normalize(x, gamma, beta, eps):
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    x_hat = (x - mean) / var
    return gamma * x_hat + beta
"""),
    ("normalize", "brackets-missing", """
def normalize(x, gamma, beta, eps):
    x_hat = x - x.mean(axis=0) / np.sqrt(x.var(axis=0) + eps)
    return gamma * x_hat + beta
"""),
    ("normalize", "arguments-out-of-order", """
def normalize(x, eps, gamma, beta):
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    return gamma * x_hat + beta
"""),
    ("normalize", "all-elements", """
def normalize(x, gamma, beta, eps):
    mean, var = x.mean(), x.var(axis=0)
    return gamma * (x - mean) / (var + eps) ** 0.5 + beta
"""),
    ("normalize", "eps-forgotten", """
def normalize(x, gamma, beta, eps=1e-5):
    eps = 1e-3
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    return gamma * x_hat + beta
"""),
    ("normalize", "wrong-count", """
def normalize(x, gamma, beta, eps):
    mean, var = x.mean(axis=0), x.var(axis=0)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, mean, var
"""),
    # running_average
    ("running_average", "brackets-missing", """
def running_average(running, batch, momentum):
    return momentum * running + 1 - momentum * batch
"""),
    ("running_average", "momentum-ignored", """
def running_average(running, batch, momentum):
    new_running = 0.9 * running + 0.1 * batch
    return new_running
"""),
    ("running_average", "momentum-ignored", """
def running_average(running, batch, momentum):
    momentum = 0.99
    return momentum * running + (1 - momentum) * batch
"""),
    ("running_average", "trailing-comma", """
def running_average(running, batch, momentum):
    new_running = momentum * running + (1 - momentum) * batch,
    return new_running
"""),
    ("running_average", "arguments-out-of-order", """
def running_average(batch, running, momentum):
    return momentum * running + (1 - momentum) * batch
"""),
    ("running_average", "initial-value-wrong", """
def running_average(running, batch, momentum):
    new = momentum * running + (1 - momentum) * batch
    return new / (1 - momentum)
"""),
    ("running_average", "same-weight", """
def running_average(running, batch, momentum):
    return momentum * (running + batch)
"""),
    ("running_average", "new-value-subtracted", """
def running_average(running, batch, momentum):
    return running + (1 - momentum) * (running - batch)
"""),
    # debias
    ("debias", "wrong-base", """
def debias(running, momentum, step):
    return running / (1 - momentum) ** step
"""),
    ("debias", "other-correction", """
def debias(running, momentum, step):
    return running * step / (step - 1)
"""),
    ("debias", "momentum-ignored", """
def debias(running, momentum, step):
    return running / (1 - 0.9 ** step)
"""),
    ("debias", "brackets-missing", """
def debias(running, momentum, step):
    estimate = running / 1 - momentum ** step
    return estimate
"""),
    ("debias", "wrong-power", """
def debias(running, momentum, step):
    return running / (1 - momentum)
"""),
    ("debias", "batch-weight-forgotten", """
def debias(running, momentum, step):
    weights = [momentum ** k for k in range(step)]
    return running / sum(weights)
"""),
    ("debias", "initial-value-wrong", """
def debias(running, momentum, step):
    left = momentum ** step
    return (running - left * 1) / (1 - left)
"""),
    ("debias", "trailing-comma", "def debias(running, momentum, step): return running / (1 - momentum**step),"),
    ("debias", "arguments-out-of-order", """
def debias(running, step, momentum):
    return running / (1 - momentum**step)
"""),
    # inference
    ("inference", "batch-statistics-at-inference", """
def inference(x, running_mean, running_var, gamma, beta, eps):
    running_mean = 0.9 * running_mean + 0.1 * x.mean(axis=0)
    running_var = 0.9 * running_var + 0.1 * x.var(axis=0)
    return gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
"""),
    ("inference", "batch-statistics-at-inference", """
def inference(x, running_mean, running_var, gamma, beta, eps):
    m = 0.99
    mean = m * running_mean + (1 - m) * np.mean(x, axis=0)
    var = m * running_var + (1 - m) * np.var(x, axis=0, ddof=1)
    x_hat = (x - mean) / (var + eps) ** 0.5
    return gamma * x_hat + beta
"""),
    ("inference", "root-forgotten", """
def inference(x, running_mean, running_var, gamma, beta, eps):
    return (x - running_mean) / running_var * gamma + beta
"""),
    ("inference", "arguments-out-of-order", """
def inference(x, gamma, beta, running_mean, running_var, eps):
    return gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
"""),
    ("inference", "arguments-out-of-order", "inference = lambda x, g, b, mu, v, e: g * (x - mu) / np.sqrt(v + e) + b"),
    ("inference", "transposed", """
def inference(x, running_mean, running_var, gamma, beta, eps):
    rows = [g * (c - m) / np.sqrt(v + eps) + b
            for c, m, v, g, b in zip(x.T, running_mean, running_var, gamma, beta)]
    return np.stack(rows)
"""),
    ("inference", "brackets-missing", """
def inference(x, running_mean, running_var, gamma, beta, eps):
    std = np.sqrt(running_var + eps)
    return gamma * x - running_mean / std + beta
"""),
    # layer
    ("layer", "running-statistics-in-training", changed(
        LAYER, ("    else:", '        mean, var = state["running_mean"], state["running_var"]\n    else:'))),
    ("layer", "running-statistics-in-training", changed(
        LAYER, ("    else:", '        mean, var = new["running_mean"], new["running_var"]\n    else:'))),
    ("layer", "results-out-of-order", changed(LAYER, ("return y, new", "return new, y"))),
    ("layer", "momentum-ignored", changed(LAYER, ('new = state["momentum"]', "new = 0.9"))),
    ("layer", "momentum-ignored", changed(
        LAYER, ("p *", "0.99 *"), ("(1 - p)", "0.01"), ("x.var(axis=0, ddof=1)", "var"))),
    ("layer", "brackets-missing", changed(LAYER, ("(1 - p) *", "1 - p *"))),
    ("layer", "initial-value-wrong", changed(
        LAYER, ("    else:", '        for name in ("running_mean", "running_var"):\n'
                             "            new[name] = new[name] / (1 - p)\n    else:"))),
    ("layer", "initial-value-wrong", changed(
        LAYER, ('state["running_mean"], state["running_var"]\n',
                'state["running_mean"], state["running_var"] / (1 - p)\n'))),
    ("layer", "transposed", changed(LAYER, ("return y, new", "return y.T, new"))),
    ("layer", "trailing-comma", changed(LAYER, ("(1 - p) * taken_mean", "(1 - p) * taken_mean,"))),
    ("layer", "momentum-reversed", changed(
        LAYER, ('p * state["running_var"] + (1 - p)', '(1 - p) * state["running_var"] + p'))),
    # backward
    ("backward", "wrong-count", changed(BACKWARD, ("return dx, dgamma, dbeta", "return dx"))),
    ("backward", "results-out-of-order", changed(BACKWARD, ("return dx, dgamma, dbeta", "return dgamma, dbeta, dx"))),
    ("backward", "all-elements", changed(BACKWARD, (", axis=0)\n    dbeta", ")\n    dbeta"), ("(dy, axis=0)", "(dy)"))),
    ("backward", "root-forgotten", changed(BACKWARD, ("np.sqrt(x.var(axis=0) + eps)", "x.var(axis=0)"))),
    ("backward", "transposed", changed(BACKWARD, ("return dx,", "return dx.T,"))),
    ("backward", "arguments-out-of-order", changed(BACKWARD, ("(dy, x, gamma, eps)", "(x, dy, gamma, eps)"))),
    ("backward", "trailing-comma", changed(BACKWARD, ("return dx, dgamma, dbeta", "return dx, dgamma, (dbeta,)"))),
    ("backward", "exception", changed(BACKWARD, ("dbeta = np.sum(dy, axis=0)", "dbeta = np.sum(dy, axis=0),"))),
    # population
    ("population", "order-of-batches", """
def population(batch_means, batch_variances, m):
    mean, var = batch_means[0], batch_variances[0]
    for k in range(1, len(batch_means)):
        mean = 0.9 * mean + 0.1 * batch_means[k]
        var = 0.9 * var + 0.1 * batch_variances[k]
    return mean, var * m / (m - 1)
"""),
    ("population", "order-of-batches", """
def population(batch_means, batch_variances, m):
    mean = np.zeros(batch_means.shape[1])
    var = np.ones(batch_means.shape[1])
    for bm, bv in zip(batch_means, batch_variances):
        mean = 0.9 * mean + 0.1 * bm
        var = 0.9 * var + 0.1 * bv
    return mean, var
"""),
    ("population", "brackets-missing", """
def population(batch_means, batch_variances, m):
    return batch_means.mean(axis=0), batch_variances.mean(axis=0) * m / m - 1
"""),
    ("population", "all-elements", """
def population(batch_means, batch_variances, m):
    return np.sum(batch_means), np.sum(batch_variances) * m / (m - 1)
"""),
    ("population", "arguments-out-of-order", """
def population(m, batch_means, batch_variances):
    return np.mean(batch_means, axis=0), m / (m - 1) * np.mean(batch_variances, axis=0)
"""),
    ("population", "trailing-comma", """
def population(batch_means, batch_variances, m):
    mean = batch_means.mean(axis=0),
    var = batch_variances.mean(axis=0) * m / (m - 1),
    return mean, var
"""),
    # No name fits: the smallest example is what can be told.
    ("normalize", None, """
def normalize(x, gamma, beta, eps):
    return gamma * np.tanh((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)) + beta
"""),
    ("batch_statistics", None, "def batch_statistics(x): return np.median(x, axis=0) + 1, x.var(axis=0)"),
]  # fmt: skip


def labelled(cases):
    return [pytest.param(*case, id=f"{i:02}-{case[0]}") for i, case in enumerate(cases)]


@pytest.mark.parametrize(
    ("name", "source"), labelled([*((name, source) for name, its in RIGHT.items() for source in its), *UNUSUAL])
)
def test_a_right_answer_is_judged_right_in_any_style_and_the_reason_is_shown(name, source):
    verdict = check(name, source)
    assert verdict.passed, verdict
    assert verdict.mistake is None
    assert verdict.message.endswith(exercises.solution(name).why)
    assert "nothing to change" in hint(name, defined(source)).hint


@pytest.mark.parametrize(("name", "mistake", "source"), labelled([*PLANTED, *WRONG]))
def test_a_wrong_answer_is_judged_wrong_and_its_mistake_found(name, mistake, source):
    verdict = check(name, source)
    assert not verdict.passed
    assert verdict.mistake == (mistake or "unrecognised"), verdict
    assert verdict.title == f"Not yet: {ASKS[verdict.mistake]}"
    asked_for = hint(name, defined(source)).hint
    if mistake in GENERAL:
        assert MISTAKES[mistake] in verdict.message
        assert asked_for == EXERCISES[name].hint
        return
    assert re.search(r"The smallest example that shows it:\n\n    |`new_state` comes first", verdict.message)
    if mistake is None:
        assert verdict.message.endswith(f'`hint("{name}")`.')
        assert asked_for == EXERCISES[name].hint
    else:  # what to change is told when somebody asks, not before
        assert verdict.message.endswith(f'`hint("{name}", {name})`.')
        assert asked_for == MISTAKES[mistake]
        assert asked_for not in str(verdict)


def test_of_two_mistakes_in_two_parts_one_is_told_and_shown_and_the_other_part_named():
    mistakes = ("np.sqrt(var + eps)", "(var + eps)"), ("taken_mean, taken_var = mean", "taken_mean, taken_var = var")
    verdict = check("layer", changed(LAYER, *mistakes))
    assert verdict.mistake == "root-forgotten"
    assert "y should be" in verdict.message
    assert 'Not right yet either: `new_state["running_mean"]`.' in verdict.message
    assert 'Right on every input: `new_state["running_var"]`.' in verdict.message
    assert 'running_mean"] should be' not in verdict.message


def test_there_are_enough_answers_of_every_kind():
    assert {name for name, _ in UNUSUAL} == set(RIGHT) == set(EXERCISES)
    assert len(UNUSUAL) >= 12
    assert len(WRONG) >= 60
    counts = Counter(name for name, _, _ in WRONG)
    assert set(counts) == set(EXERCISES)
    assert min(counts.values()) >= 5
    assert sum(mistake is None for _, mistake, _ in WRONG) <= 0.05 * len(WRONG)
    assert len({source for _, _, source in [*PLANTED, *WRONG]}) == len([*PLANTED, *WRONG])


def test_every_mistake_of_the_table_is_made_here():
    assert {row.name for row in ROWS} <= {mistake for _, mistake, _ in [*PLANTED, *WRONG]}
    assert set(MISTAKES) == {row.name for row in ROWS} | set(GENERAL)
