import html.parser
import itertools
import re

import numpy as np
import pytest

from bn_teach import exercises
from bn_teach.exercises import EXERCISES, MISTAKES, Verdict, hint, solution
from bn_teach.exercises.checking import TOLERANCE, call, planted, show
from bn_teach.exercises.table import GENERAL, ROWS, variants
from bn_teach.exercises.text import to_html

NAMES = (
    "batch_statistics", "normalize", "running_average", "debias", "inference", "layer", "backward", "population",
)  # fmt: skip


def check(name, f):
    return getattr(exercises, f"check_{name}")(f)


def learner(source):
    """Define a function the way a notebook does."""
    namespace = {"np": np}
    exec(source, namespace)
    return [f for key, f in namespace.items() if callable(f) and not key.startswith("_") and key != "np"][-1]


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
    ("batch_statistics", "deviation-not-squared", "lambda x: (x.mean(0), (x - x.mean(0)).mean(0))"),
    ("batch_statistics", "sum-instead-of-mean", "lambda x: (x.mean(0), ((x - x.mean(0)) ** 2).sum(0))"),
    ("batch_statistics", "wrong-axis", "lambda x: (np.mean(x, -1), np.var(x, -1))"),
    ("batch_statistics", "all-elements", "lambda x: (np.mean(x), np.var(x))"),
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
    ("debias", "divided-by-start-weight", "lambda r, p, t: r / p**t"),
    ("debias", "initial-value-wrong", "lambda r, p, t: (r - p**t * 1.0) / (1 - p**t)"),
    ("inference", "eps-outside-root", "lambda x, m, v, g, b, eps: g * (x - m) / (v ** 0.5 + eps) + b"),
    ("inference", "eps-forgotten", "lambda x, m, v, g, b, eps: g * (x - m) / v ** 0.5 + b"),
    ("inference", "root-forgotten", "lambda x, m, v, g, b, eps: g * (x - m) / (v + eps) + b"),
    ("inference", "mean-variance-swapped", "lambda x, v, m, g, b, eps: g * (x - m) / (v + eps) ** 0.5 + b"),
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


def changed(*pairs):
    source = LAYER
    for old, new in pairs:
        assert source.count(old) == 1
        source = source.replace(old, new)
    return source


def updated(mean, var):
    return changed((UPDATE[0], mean), (UPDATE[1], var))


PLANTED += [
    ("layer", mistake, source)
    for mistake, source in (
        (
            "biased-variance",
            changed(("taken_mean, taken_var = mean, x.var(axis=0, ddof=1)", "taken_mean, taken_var = mean, var")),
        ),
        (
            "unbiased-variance",
            changed(
                ("mean, var = x.mean(axis=0), x.var(axis=0)\n", "mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)\n")
            ),
        ),
        ("std-averaged", changed(("mean, x.var(axis=0, ddof=1)", "mean, x.std(axis=0)"))),
        ("std-averaged", changed(("mean, x.var(axis=0, ddof=1)", "mean, x.std(axis=0, ddof=1)"))),
        ("correction-upside-down", changed(("mean, x.var(axis=0, ddof=1)", "mean, var * (len(x) - 1) / len(x)"))),
        ("mean-variance-swapped", changed(("taken_mean, taken_var = mean", "taken_var, taken_mean = mean"))),
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
        ("batch-statistics-at-inference", changed(('mean, var = state["running_mean"], state["running_var"]', "pass"))),
        ("updated-at-inference", changed(("if training:", "for _ in [1]:"), ("    else:\n", "    if not training:\n"))),
        (
            "updated-at-inference",
            changed(
                ("if training:", "if True:"),
                ("    else:\n", "    if not training:\n"),
                (
                    'mean, var = state["running_mean"], state["running_var"]',
                    'mean, var = new["running_mean"], new["running_var"]',
                ),
            ),
        ),
        ("training-flag-ignored", changed(("if training:", "if True:"))),
        ("training-flag-ignored", changed(("if training:", "if False:"))),
        ("training-flag-reversed", changed(("if training:", "if not training:"))),
        (
            "running-statistics-in-training",
            changed(("    y = ", '    mean, var = new["running_mean"], new["running_var"]\n    y = ')),
        ),
        (
            "updated-after-use",
            changed(("    y = ", '    mean, var = state["running_mean"], state["running_var"]\n    y = ')),
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
                ("x.mean(axis=0), x.var(axis=0)\n", "x.mean(axis=1), x.var(axis=1)\n"),
                ("x.var(axis=0, ddof=1)", "var * len(x) / (len(x) - 1)"),
            ),
        ),
        (
            "all-elements",
            changed(
                ("x.mean(axis=0), x.var(axis=0)\n", "np.mean(x), np.var(x)\n"),
                ("x.var(axis=0, ddof=1)", "np.var(x, ddof=1)"),
            ),
        ),
        ("eps-outside-root", changed(("np.sqrt(var + eps)", "(np.sqrt(var) + eps)"))),
        ("eps-forgotten", changed(("np.sqrt(var + eps)", "np.sqrt(var)"))),
        ("root-forgotten", changed(("np.sqrt(var + eps)", "(var + eps)"))),
        ("gamma-beta-forgotten", changed((Y, "(x - mean) / np.sqrt(var + eps)"))),
        (
            "gamma-beta-swapped",
            changed(('state["gamma"]', "G"), ('state["beta"]', 'state["gamma"]'), ("= G", '= state["beta"]')),
        ),
    )
]


def defined(source):
    return learner("f = " + source) if source.startswith("lambda") else learner(source)


def labelled(cases):
    return [pytest.param(*case, id=f"{case[0]}-{'-'.join(map(str, case[1:-1]))}") for case in cases]


def test_the_eight_exercises_have_a_check_a_hint_and_a_solution():
    assert tuple(EXERCISES) == NAMES
    for name in NAMES:
        assert name in str(hint(name))
        assert f"def {EXERCISES[name].signature}:" in str(solution(name))


@pytest.mark.parametrize(
    ("name", "index", "source"),
    labelled((name, i, source) for name in NAMES for i, source in enumerate(RIGHT[name])),
)
def test_right_answers_pass_in_any_style(name, index, source):
    verdict = check(name, defined(source))
    assert verdict.passed, verdict
    assert verdict.mistake is None
    assert verdict


def test_every_exercise_has_at_least_four_right_answers_here():
    assert all(len(RIGHT[name]) >= 4 for name in NAMES)


@pytest.mark.parametrize(("name", "mistake", "source"), labelled(PLANTED))
def test_a_planted_mistake_is_recognised_by_its_name(name, mistake, source):
    verdict = check(name, defined(source))
    assert not verdict
    assert verdict.mistake == mistake, verdict
    assert verdict.message.startswith(MISTAKES[mistake])
    assert "    " in verdict.message  # the example


def test_every_mistake_of_the_table_is_planted_here():
    assert {mistake for _, mistake, _ in PLANTED} == {row.name for row in ROWS}
    assert set(MISTAKES) == {row.name for row in ROWS} | set(GENERAL)


# The table


@pytest.mark.parametrize("name", NAMES)
def test_no_two_rows_are_confused_and_none_with_the_right_answer(name):
    exercise = EXERCISES[name]
    right = [call(exercise, exercise.reference, args) for args in exercise.inputs]
    rows = [("right", right), *planted(name)]
    for (a, of_a), (b, of_b) in itertools.combinations(rows, 2):
        if a != b:
            assert max(map(distance, of_a, of_b)) > 10 * TOLERANCE, (a, b)


def distance(outcome, other):
    """The largest difference, as a fraction of the largest number: what TOLERANCE is compared with."""
    if outcome.parts is None or other.parts is None:
        return np.inf if type(outcome.error) is not type(other.error) else 0.0
    if any(outcome.parts[key].shape != other.parts[key].shape for key in other.parts):
        return np.inf
    return max(
        np.abs(a - other.parts[key]).max() / (max(np.abs(a).max(), np.abs(other.parts[key]).max()) or 1)
        for key, a in outcome.parts.items()
    )


@pytest.mark.parametrize(
    ("name", "mistake", "index"),
    [(name, mistake, i) for name in NAMES for i, (mistake, _) in enumerate(variants(name))],
)
def test_every_row_is_recognised_and_shown_in_numbers_that_differ(name, mistake, index):
    verdict = check(name, variants(name)[index][1])
    assert verdict.mistake == mistake
    assert "array of shape" not in verdict.message  # small enough to follow by hand
    pairs = re.findall(r"should be +(\S.*)\n +.*yours is +(\S.*)", verdict.message)
    assert pairs
    assert all(right != yours for right, yours in pairs)


def test_inputs_are_well_chosen():
    for name in NAMES:
        for args in EXERCISES[name].inputs:
            given = dict(zip(EXERCISES[name].parameters, args))
            given |= given.get("state", {})
            assert np.all(given.get("gamma", 2.0) != 1)
            assert np.all(given.get("beta", 2.0) != 0)
            assert given.get("eps") in (None, 0.1, 5.0)
            if "dy" in given:
                assert np.ptp(given["dy"]) > 0
            if "x" in given and given["x"].shape[0] == given["x"].shape[1]:
                assert not np.allclose(given["x"], given["x"].T)


# What is told from how a function behaves

STUBS = (
    "{head}\n    ...",
    "{head}\n    pass",
    "{head}\n    return None",
    '{head}\n    """What is asked."""',
    '{head}\n    """What is asked."""\n    ...  # your answer',
    '{head}\n    """What is asked."""\n    raise NotImplementedError',
    "{head}\n    raise NotImplementedError('your answer here')",
    "{head}\n    return ...",
    "{head}\n    answer = ...\n    return 2 * answer",
    "{head}\n    answer = ...\n    return answer.mean()",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_unanswered_and_stops_nothing(name):
    stubs = [stub.format(head=f"def {EXERCISES[name].signature}:") for stub in STUBS]
    for stub in [*stubs, EXERCISES[name].stub]:
        verdict = check(name, learner(stub))
        assert (verdict.passed, verdict.mistake) == (False, "unanswered"), stub
        assert verdict.title == "Not answered yet"


def test_parts_left_open_are_unanswered():
    verdict = check("batch_statistics", lambda x: (x.mean(0), ...))
    assert verdict.mistake == "unanswered"
    assert "Still open: `var`." in verdict.message


def test_a_forgotten_return_is_told():
    def f(x):
        mean = x.mean(axis=0)
        var = x.var(axis=0)
        print(mean + var, end="")

    verdict = check("batch_statistics", f)
    assert verdict.mistake == "none-returned"
    assert "x = [[1], [5]]" in verdict.message


def test_a_return_forgotten_in_one_mode_shows_which():
    def f(state, x, training):
        if training:
            return exercises.solutions.layer(state, x, training)

    verdict = check("layer", f)
    assert verdict.mistake == "none-returned"
    assert "training = False" in verdict.message


@pytest.mark.parametrize("value", [None, 3, "normalize", np.ones(3)])
def test_what_is_no_function_is_told(value):
    verdict = check("normalize", value)
    assert verdict.mistake == "not-callable"
    assert "`check_normalize(normalize)`" in verdict.message


@pytest.mark.parametrize("f", [lambda x: x, lambda x, gamma, beta, eps, more: x, lambda x, *, gamma, beta, eps: x])
def test_wrong_arguments_are_told(f):
    verdict = check("normalize", f)
    assert verdict.mistake == "wrong-arguments"
    assert "`normalize(x, gamma, beta, eps)`" in verdict.message


def test_further_parameters_with_defaults_are_fine():
    assert check("running_average", lambda r, b, p, unused=None: p * r + (1 - p) * b)


def test_an_exception_is_shown_as_theirs_with_its_line():
    def helper(x):
        return np.linalg.inv(x)  # their line

    def f(dy, x, gamma, eps):
        return helper(x)

    verdict = check("backward", f)
    line = helper.__code__.co_firstlineno + 1
    assert verdict.mistake == "exception"
    assert (
        f"Line {line} of test_exercises.py, in `helper`:\n\n    return np.linalg.inv(x)  # their line"
        in verdict.message
    )
    assert "LinAlgError: Last 2 dimensions of the array must be square" in verdict.message
    assert "linalg.py" not in verdict.message
    assert "checking.py" not in verdict.message


def test_an_exception_in_a_cell_is_shown_with_its_line(monkeypatch):
    import linecache

    source = "def f(x):\n    mean = x.mean(axis=0)\n    return mean, nonsense\n"
    name = "ipykernel_1/234.py"  # what ipykernel calls a cell, whose source it puts into linecache
    monkeypatch.setitem(linecache.cache, name, (len(source), None, source.splitlines(keepends=True), name))
    namespace = {}
    exec(compile(source, name, "exec"), namespace)
    message = check("batch_statistics", namespace["f"]).message
    assert "Line 3 of your cell, in `f`:\n\n    return mean, nonsense\n    NameError: name 'nonsense'" in message


def test_an_exception_without_a_line_of_theirs_is_shown_too():
    verdict = check("batch_statistics", np.linalg.inv)
    assert verdict.mistake == "exception"
    assert "LinAlgError" in verdict.message
    assert "Line" not in verdict.message


def test_an_exception_without_a_message_and_deep_recursion_are_shown():
    def f(x):
        return f(x)

    def g(x):
        raise ValueError

    assert "RecursionError" in check("batch_statistics", f).message
    assert "    ValueError\n" in check("batch_statistics", g).message + "\n"


def test_an_exception_that_a_known_mistake_leads_to_is_recognised_and_shown():
    def f(x, gamma, beta, eps):
        centred = x - x.mean(axis=1)
        return gamma * centred / np.sqrt(x.var(axis=1) + eps) + beta

    verdict = check("normalize", f)
    assert verdict.mistake == "wrong-axis"
    assert "centred = x - x.mean(axis=1)\n    ValueError: operands could not be broadcast" in verdict.message


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_not_swallowed(exception):
    def f(x):
        raise exception

    with pytest.raises(exception):
        check("batch_statistics", f)


@pytest.mark.parametrize(
    ("name", "f", "mistake", "words"),
    [
        ("batch_statistics", lambda x: x.mean(0), "wrong-count", "2 results, `(mean, var)`"),
        ("batch_statistics", lambda x: (x.mean(0), x.var(0), len(x)), "wrong-count", "yours are 3"),
        ("batch_statistics", lambda x: {"mean": 1, "var": 2}, "wrong-count", "a dict"),
        ("batch_statistics", lambda x: (v for v in x), "wrong-count", "a generator"),
        ("batch_statistics", lambda x: ("a", "b"), "wrong-type", "`mean` should be an array of real numbers"),
        (
            "batch_statistics",
            lambda x: (x.mean(0), None),
            "wrong-type",
            "`var` should be an array of real numbers, and is None",
        ),
        ("batch_statistics", lambda x: (x.mean(0), [[1], [2, 3]]), "wrong-type", "a list"),
        ("batch_statistics", lambda x: (x.mean(0), x.var(0) > 1), "wrong-type", "dtype bool"),
        ("batch_statistics", lambda x: (x.mean(0), x.var(0) + 0j), "wrong-type", "dtype complex128"),
        (
            "batch_statistics",
            lambda x: (x.mean(0, keepdims=True), x.var(0, keepdims=True)),
            "wrong-shape",
            "The values are right",
        ),
        ("batch_statistics", lambda x: (x.mean(0), x), "wrong-shape", "`var` has shape (2, 1); asked for is (1,)"),
        ("batch_statistics", lambda x: (x.mean(0), np.var(x[:0], 0)), "not-finite", "1 of 1 values"),
        ("normalize", lambda x, g, b, e: (x, "cache"), "wrong-count", "a tuple of 2 values"),
        ("normalize", lambda x, g, b, e: x[:, 0], "wrong-shape", "`y` has shape (2,); asked for is (2, 1)"),
        ("normalize", lambda x, g, b, e: x / (x - x), "not-finite", "`y`"),
        ("normalize", lambda x, g, b, e: np.sqrt(-x), "not-finite", "2 of 2 values"),
        ("running_average", lambda r, b, p: "2", "wrong-type", "a str"),
        ("layer", lambda s, x, t: (x, x), "wrong-type", "`new_state` should be a dict"),
        ("layer", lambda s, x, t: (x, {"running_mean": 0, "running_var": 1}), "wrong-type", "lacks `gamma`, `beta`"),
        ("layer", lambda s, x, t: x, "wrong-count", "(y, new_state)"),
        ("layer", lambda s, x, t: (x, {**s, "gamma": None}), "wrong-type", '`new_state["gamma"]`'),
    ],
)
def test_none_nan_wrong_shapes_types_and_counts_are_told_plainly(name, f, mistake, words):
    verdict = check(name, f)
    assert verdict.mistake == mistake, verdict
    assert verdict.message.startswith(MISTAKES[mistake])
    assert words in verdict.message
    assert "It was called with\n\n    " in verdict.message


def test_editing_the_input_is_told_by_name():
    def normalize(x, gamma, beta, eps):
        mean, var = x.mean(0), x.var(0)
        x -= mean
        x /= np.sqrt(var + eps)
        return gamma * x + beta

    verdict = check("normalize", normalize)
    assert verdict.mistake == "input-edited"
    assert "edited `x` in place" in verdict.message


def test_editing_the_input_instead_of_returning_is_told():
    def running_average(running, batch, momentum):
        running[:] = momentum * running + (1 - momentum) * batch

    verdict = check("running_average", running_average)
    assert verdict.mistake == "none-returned"
    assert "edited `running` in place" in verdict.message


@pytest.mark.parametrize(
    "edit",
    [
        "state['running_mean'] = 2 * state['running_mean']",
        "state['running_mean'] *= 2",
        "state.pop('eps')",
        "state['steps'] = 1",
        "state['momentum'] = np.array([0.75])",
    ],
)
def test_editing_the_state_is_told(edit):
    f = learner(f"""
import copy
from bn_teach.exercises.solutions import layer
def f(state, x, training):
    answer = copy.deepcopy(layer(state, x, training))
    {edit}
    return answer
""")
    verdict = check("layer", f)
    assert verdict.mistake == "input-edited"
    assert "`state`" in verdict.message


def test_a_check_leaves_no_trace_in_the_next_one():
    def spoil(x):
        x[:] = 0
        return x, x

    assert check("batch_statistics", spoil).mistake == "input-edited"
    assert check("batch_statistics", exercises.solutions.batch_statistics)


def test_two_mistakes_at_once_are_unrecognised_and_shown():
    def f(x, gamma, beta, eps):
        return beta * (x - x.mean(0)) / (x.var(0) + eps)

    verdict = check("normalize", f)
    assert verdict.mistake == "unrecognised"
    assert "x = [[1], [5]]" in verdict.message
    assert "y should be  [[8], [12]]" in verdict.message
    assert "yours is   [[-2.222], [2.222]]" in verdict.message


def test_what_only_large_inputs_show_is_told_by_the_first_deviation():
    def f(x):
        mean, var = x.mean(0), x.var(0)
        if x.size > 9:
            mean[1] += 1
        return mean, var

    verdict = check("batch_statistics", f)
    assert verdict.mistake == "unrecognised"
    assert "x = an array of shape (5, 3)" in verdict.message
    assert "Right on every input: `var`." in verdict.message

    def g(x, gamma, beta, eps):
        y = exercises.solutions.normalize(x, gamma, beta, eps)
        y[0, 2:] += 1
        return y

    assert re.search(r"y\[0, 2\] should be  \S+\n +yours is   \S+", check("normalize", g).message)


def test_anything_callable_may_be_checked():
    class Statistics:
        def __call__(self, x):
            return x.mean(0), x.var(0)

        def method(self, x):
            return self(x)

    assert check("batch_statistics", Statistics())
    assert check("batch_statistics", Statistics().method)


def test_a_warning_of_theirs_is_told_by_the_verdict_alone():
    verdict = check("batch_statistics", lambda x: (x.mean(0), x[:1].var(0, ddof=1)))  # pytest makes warnings errors
    assert verdict.mistake == "not-finite"


# Solutions, hints, statements


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_as_shown_passes_its_check(name):
    namespace = {"np": np}
    exec(solution(name).source, namespace)
    assert check(name, namespace[name])
    assert solution(name).why


@pytest.mark.parametrize("ask", [hint, solution])
def test_an_unknown_name_is_refused_with_the_names_there_are(ask):
    with pytest.raises(ValueError, match=r"'batch_statistics', 'normalize'.*got 'normalise'"):
        ask("normalise")
    with pytest.raises(TypeError):
        ask(None)


def test_explanations_are_complete_sentences():
    for explanation in MISTAKES.values():
        assert re.fullmatch(r"\S.*[.?]\)?", explanation), explanation


# How it looks


class Parser(html.parser.HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


TEXTS = [
    *(EXERCISES[name] for name in NAMES),
    *(hint(name) for name in NAMES),
    *(solution(name) for name in NAMES),
    Verdict(True, None, "All is well."),
    Verdict(False, "exception", "An error:\n\n    x < y & <script>alert(1)</script>\n\n    z\n\nRead `a < b` & think."),
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.title)
def test_rich_text_is_well_formed_semantic_escaped_and_uncoloured(text):
    bundle = text._repr_mimebundle_()
    page = Parser(bundle["text/html"])
    assert {tag for tag, _ in page.seen} <= {"div", "p", "strong", "pre", "code"}
    assert "color" not in bundle["text/html"]
    assert bundle["text/plain"] == str(text) == repr(text)

    def words(s):
        return re.sub(r"[\s`]+", "", s)

    assert words(page.text) == words(str(text))


def test_a_verdict_says_in_words_what_it_is():
    assert str(Verdict(True, None, "All is well.")) == "Right\n\nAll is well."
    verdict = check("running_average", lambda running, batch, momentum: (1 - momentum) * running + momentum * batch)
    assert str(verdict).startswith("Not yet: momentum-reversed\n\nYou use momentum the wrong way round")
    assert "<strong>Not yet: momentum-reversed</strong>" in verdict._repr_mimebundle_()["text/html"]


def test_a_notebook_shows_the_rich_text_through_the_usual_protocol():
    formatters = pytest.importorskip("IPython.core.formatters")
    data, _ = formatters.DisplayFormatter().format(Verdict(True, None, "All is well."))
    assert data["text/plain"] == "Right\n\nAll is well."
    assert data["text/html"].startswith("<div")


def test_the_small_format():
    assert to_html("One\nline `x < 1`.\n\n    a\n\n    b\nNext") == (
        '<p>One line <code>x &lt; 1</code>.</p><pre style="white-space: pre-wrap"><code>a\n\nb</code></pre><p>Next</p>'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([[1.0], [-0.0]]), "[[1], [0]]"),
        (1 / 3, "0.3333"),
        (True, "True"),
        (np.zeros((5, 3)), "an array of shape (5, 3)"),
        ({"eps": 0.1, "beta": np.array([2.0])}, '{"eps": 0.1, "beta": [2]}'),
    ],
)
def test_values_are_shown_short(value, text):
    assert show(value) == text
