"""All of `checkup` that touches a PyTorch model: reading it, listening to it, and judging it under other statistics."""

import random
import sys
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import numpy as np

from bn_teach import _checks
from bn_teach.torch_recorder.evidence import Heard, LayerState, Model, Score
from bn_teach.torch_recorder.live import batch_norms, pytorch, undisturbed

_FEW_LEVELS = 256  # of eight bits
_MUCH = 2**30  # bytes of examples that are held to be dealt anew


def layer_states(model):
    """Name to `LayerState`, for every batch norm layer; none may be there."""
    torch = pytorch()
    learns = any(p.requires_grad for p in model.parameters())
    found = {}
    for name, layer in batch_norms(model, some=False).items():
        mean, var = layer._buffers.get("running_mean"), layer._buffers.get("running_var")
        if getattr(layer, "has_uninitialized_params", bool)():
            continue
        counter = layer._buffers.get("num_batches_tracked")
        weights = list(layer.parameters(recurse=False))
        tracked = mean is not None and var is not None
        found[name] = LayerState(
            mean=_numbers(mean) if tracked else None,
            var=_numbers(var) if tracked else None,
            momentum=None if layer.momentum is None else 1 - float(layer.momentum),
            eps=layer.eps,
            counted=None if counter is None else int(counter),
            training=layer.training,
            frozen=bool(weights) and learns and not any(p.requires_grad for p in weights),
            rounding=torch.finfo(mean.dtype).eps if tracked else 0.0,
        )
    return found


def model_facts(model):
    """Read what the rest of the model says about itself."""
    torch = pytorch()
    dropout = False
    for module in model.modules():
        p = getattr(module, "p", getattr(module, "drop_prob", 0))
        dropout |= "drop" in type(module).__name__.lower() and isinstance(p, (int, float)) and p > 0
    weights = [w for m in model.modules() if isinstance(w := getattr(m, "weight", None), torch.Tensor) and w.ndim > 1]
    weights = [w.detach() for w in weights if w.is_floating_point() and w.numel()]
    count = sum(w.numel() for w in weights) or 1
    levels = [len(torch.unique(w)) for w in weights if w.numel() >= 8 * _FEW_LEVELS]
    few = [n for n in levels if 1 < n <= _FEW_LEVELS]
    return Model(
        name=type(model).__name__,
        training=model.training,
        averaged=isinstance(model, torch.optim.swa_utils.AveragedModel) or hasattr(model, "n_averaged"),
        zeros=sum(int((w == 0).sum()) for w in weights) / count,
        levels=min(few) if few else None,
        dropout=dropout,
        others=_other_normalisations(model),
    )


def _other_normalisations(model):
    found, ours = {}, set(map(id, batch_norms(model, some=False).values()))
    for module in model.modules():
        name = type(module).__name__
        if id(module) in ours or "Norm" not in name or next(module.children(), None) is not None:
            continue
        tracks = getattr(module, "running_mean", None) is not None
        found[name] = "has running statistics of its own kind" if tracks else "keeps no running statistics"
    return found


class Listener:
    """Hears what goes into every batch norm layer inside a block, in either mode."""

    def __init__(self, layers):
        self.layers, self.rows, self.training = layers, {}, set()

    def __enter__(self):
        self.handles = [
            layer.register_forward_pre_hook(partial(self._hear, name), with_kwargs=True)
            for name, layer in self.layers.items()
        ]
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()

    def _hear(self, name, layer, args, named):
        with suppress(Exception):  # nobody's forward is to fail because somebody listens
            if layer.training:
                self.training.add(name)
            x = (args or tuple(named.values()))[0].detach()
            x = x.float() if x.dtype.itemsize < 4 else x
            if x.numel():
                rows = self.rows.setdefault(name, [])
                rows.append((*_moments(x), x.shape[0], x.numel() // x.shape[1], 0.0 if rows else _alike(x)))

    def heard(self):
        """Name to `Heard`, in the order in which layers were called."""
        found = {}
        for name, rows in self.rows.items():
            means, variances, between, examples, sizes, alike = zip(*rows)
            means, variances, between = (_numbers(pytorch().stack(one)) for one in (means, variances, between))
            whole = np.isfinite(variances).all(axis=1)
            if whole.any():
                rows = (means, variances, np.array(sizes), np.array(examples), between)
                found[name] = Heard(*(row[whole] for row in rows), name in self.training, alike[0])
        return found


def _moments(x):
    """Mean and variance of every channel, and the variance of the means of the examples."""
    var, mean = pytorch().var_mean(x, [0, *range(2, x.ndim)], correction=0)
    return mean, var, x.flatten(2).mean(2).var(0, correction=0) if x.ndim > 2 else var


def _alike(x):
    """How many positions hold the vector that most of them hold. Images may well be blank in places."""
    if x.ndim > 3:
        return 0.0
    vectors = x.movedim(1, -1).reshape(-1, x.shape[1])[:4096]
    _, counts = pytorch().unique(vectors, dim=0, return_counts=True)
    return float(counts.max()) / len(vectors) if counts.max() > 1 else 0.0


class Judge:
    """Has a model validated under other statistics than its own. It is afterwards as it was.

    Parameters
    ----------
    model : torch.nn.Module
    validate : callable
    told : callable
        Called with what is judged, before each time.
    """

    def __init__(self, model, validate, told):
        self.model, self.validate, self.told = model, validate, told
        self.layers = batch_norms(model)
        self.in_eval_mode = False  # whether a model that validates in training mode is kept from it
        self.heard = {}

    def __call__(self, statistics=None, *, batch=False, eps=None, what="other statistics"):
        """Validate under `statistics` (its own where it has none), or with every batch normalised by itself.

        Returns
        -------
        Score
        """
        self.told(what)
        listener = Listener(self.layers)
        with undisturbed(self.model), same_chance(), self._holding(statistics or {}, batch, eps), listener:
            score = _as_score(self.validate(self.model))
        self.heard, self.in_training = listener.heard(), listener.training
        if score.examples is None and self.heard:
            score = Score(score.value, None, min(int(heard.examples.sum()) for heard in self.heard.values()))
        return score

    @contextmanager
    def _holding(self, statistics, batch, eps):
        """Give the layers other buffers; those that they had come back with all that is undisturbed."""
        torch = pytorch()
        with ExitStack() as stack:
            for name, layer in self.layers.items():
                stack.callback(setattr, layer, "eps", layer.eps)
                for at, buffer in enumerate(("running_mean", "running_var")):
                    own = layer._buffers.get(buffer)
                    like = own if own is not None else next(self.model.parameters(), torch.zeros(0))
                    if name in statistics:
                        layer._buffers[buffer] = torch.tensor(statistics[name][at]).to(like)
                    elif own is not None:
                        layer._buffers[buffer] = own.clone()
                if batch:
                    hook = _by_itself(layer._buffers.get("running_mean"), layer._buffers.get("running_var"))
                    stack.callback(layer.register_forward_pre_hook(hook).remove)
                layer.eps = layer.eps if eps is None else eps
            if self.in_eval_mode:
                for module in self.model.modules():
                    stack.callback(module.register_forward_pre_hook(_in_eval_mode).remove)
            yield


def _by_itself(running_mean, running_var):
    """Make a hook that takes the buffers from a layer, so that it reads the batch; a single value needs them."""

    def hook(layer, args):
        alone = bool(args) and args[0].numel() == args[0].shape[1]
        layer._buffers["running_mean"], layer._buffers["running_var"] = (
            (running_mean, running_var) if alone else (None, None)
        )

    return hook


def _in_eval_mode(module, args):
    module.training = False


@contextmanager
def same_chance():
    """Put back the random numbers of Python and NumPy when the block ends."""
    ours, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's state, not ours
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)  # noqa: NPY002


def _as_score(value):
    value = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    try:
        each = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        each = np.empty((0, 0))
    if each.ndim > 1 or not each.size:
        raise TypeError(
            "validate(model) must return a number, or one number for every example, higher is better; "
            f"got {_checks.describe(value)}"
        )
    if each.ndim == 0:
        return Score(float(each))
    return Score(float(each.mean()), each, len(each))


def shuffled(batches, seed=0):
    """Deal the examples of batches anew: tensors, or tuples of tensors. None if they are nothing of the kind.

    Only the inputs are kept, in batches of the first one's size.
    """
    torch = pytorch()
    inputs = [batch[0] if isinstance(batch, (tuple, list)) else batch for batch in batches]
    if not inputs or not all(isinstance(x, torch.Tensor) and x.shape[1:] == inputs[0].shape[1:] for x in inputs):
        return None
    if sum(x.numel() * x.element_size() for x in inputs) > _MUCH:
        return None
    order = torch.as_tensor(np.random.default_rng(seed).permutation(sum(map(len, inputs))))
    return torch.cat(inputs).cpu()[order].split(len(inputs[0]))


def _numbers(tensor):
    return tensor.detach().double().cpu().numpy()


class Progress:
    """Says how many passes there will be, and which one it is at."""

    def __init__(self, wanted, passes, least, most):
        self.wanted, self.done, self.total = wanted, 0, most
        words = [f"{passes} over the training batches"] * bool(passes)
        words += [f"validate called {least} to {most} times"] * bool(most)
        if wanted is True and words:
            self._write(f"checkup: {', and '.join(words)}; the model stays as it is\n")

    def __call__(self, what):
        """Tell that the next one begins."""
        self.done += 1
        if callable(self.wanted):
            self.wanted(self.done, self.total)
        elif self.wanted:
            self._write(f"\r{f'checkup: {self.done} of at most {self.total}, {what}':79.79}")

    def close(self):
        """Take the line away."""
        if self.wanted is True:
            self._write(f"\r{'':79}\r")

    @staticmethod
    def _write(text):
        sys.stderr.write(text)
        sys.stderr.flush()
