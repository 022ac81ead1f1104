"""The door of `checkup`: what is looked at, in which order, and that nothing of the model changes."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from bn_teach import _checks
from bn_teach.torch_recorder import from_data, from_model, from_recording
from bn_teach.torch_recorder.diagnosis import EXACT, OWN, Diagnosis, in_order
from bn_teach.torch_recorder.evidence import Evidence, is_sure
from bn_teach.torch_recorder.history import TorchRecording, given_exact
from bn_teach.torch_recorder.judging import Judge, Listener, Progress, layer_states, model_facts, same_chance, shuffled
from bn_teach.torch_recorder.live import batch_norms, frozen_pass, plain_forward, put_together, undisturbed

_MOST = 8  # layers that are judged one by one: those that are farthest off
_LEAST, _MOST_OTHERS = 3, 22  # validations besides those of single layers
_NAMES = {
    "as validated": "as you validate",
    "own": OWN,
    "exact": EXACT,
    "still": "exact, dropout off",
    "as given": "from training batches as sorted",
    "batch": "each validation batch's own",
    "validation": "of all validation inputs",
}


def checkup(model=None, train_batches=None, validate=None, *, recorded=None, forward=None, progress=True):
    """Examine the running statistics of a model: whether they are wrong, what it costs, why, and what mends it.

    Nothing is changed: the model, its buffers and modes, and the random numbers of PyTorch, NumPy and Python are
    afterwards as they were, after an exception too.

    Parameters
    ----------
    model : torch.nn.Module, optional
        Without one, only the recording is examined; this needs no PyTorch.
    train_batches : iterable, optional
        Training mini-batches of the size used in training, shuffled: some hundred are enough. Tensors, or tuples whose
        first entry is the input. They go through once, up to three times if there is dropout or they are sorted.
    validate : callable, optional
        ``validate(model)`` gives a number, higher is better, or one number for every validation example: then chance is
        measured on the examples. It puts the model into inference mode, as yours does. It is called four times where
        nothing is wrong, twice more for each of the 8 layers that are farthest off, and once or twice for a finding.
    recorded : TorchRecording, optional
        Of the training (`record_torch`).
    forward : callable, optional
        ``forward(model, batch)``, for training batches of another kind. Tensors are moved to where the model is.
    progress : bool or callable
        True says on standard error how many passes there will be and which one it is at; or ``progress(done, most)``.

    Returns
    -------
    Diagnosis
        What cannot be examined is said in it, and no error.

    Raises
    ------
    ValueError, TypeError
        For arguments that are nothing of the kind. What `validate` raises at its first call goes through.

    Examples
    --------
    >>> from bn_teach.torch_recorder import load_example
    >>> diagnosis = checkup(recorded=load_example().recorded)
    >>> [(finding.name, finding.case) for finding in diagnosis.findings]
    [('noise', 'ported')]
    """
    _check(model, validate, recorded, forward, progress)
    evidence, silent = Evidence(recorded=recorded), []
    if model is None:
        _take_exact(evidence)
        return _concluded(evidence, silent, {}, ())
    with undisturbed(model), same_chance():
        _attempt("the model", silent, _read, evidence, model)
        if not evidence.layers:
            return Diagnosis((), silent=(*silent, *_unexamined(evidence, model)))
        validations = (_LEAST, _MOST_OTHERS + 2 * min(len(evidence.layers), _MOST)) if validate else (0, 0)
        told = Progress(progress, _passes(evidence, train_batches), *validations)
        try:
            if validate:
                _judge_own(evidence, silent, Judge(model, validate, told))
            if train_batches is not None:
                _attempt("training batches", silent, _hear_training, evidence, silent, model, train_batches, forward)
            _take_exact(evidence)
            if validate:
                _judge_others(evidence, silent)
                if not any(np.isfinite(score.value) for score in evidence.scores.values()):
                    silent.append("what anything costs: validate(model) gives no finite number")
            layers = _layer_by_layer(evidence, silent)
            return _concluded(evidence, silent, layers, _unexamined(evidence, model))
        finally:
            told.close()


def _check(model, validate, recorded, forward, progress):
    if model is None and recorded is None:
        raise TypeError("model or recorded must be given, got neither")
    if model is not None:
        batch_norms(model, some=False)
    if recorded is not None:
        _checks.instance("recorded", recorded, TorchRecording)
    for name, function in (("validate", validate), ("forward", forward)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function, got {_checks.describe(function)}")
    if not callable(progress):
        _checks.boolean("progress", progress)


def _attempt(what, silent, do, *arguments):
    """Do it, or say why it cannot be done."""
    try:
        return do(*arguments)
    except Exception as error:
        silent.append(f"{what}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300])


# Gathering the evidence


def _read(evidence, model):
    evidence.layers, evidence.model = layer_states(model), model_facts(model)


def _take_exact(evidence):
    """Take the exact statistics of the recording, where there are no others."""
    if not evidence.exact and evidence.recorded and evidence.recorded.exact:
        evidence.exact = given_exact(evidence.recorded)


def _passes(evidence, batches):
    if batches is None:
        return ""
    return "2 or 3 passes" if evidence.model.dropout else "1 or 2 passes"


def _judge_own(evidence, silent, judge):
    evidence.judge = judge
    evidence.scores["own"] = judge(what=_NAMES["own"])
    evidence.validating = judge.heard
    if judge.in_training:
        judge.in_eval_mode = True
        if own := _attempt("its own statistics in inference mode", silent, partial(judge, what=_NAMES["own"])):
            evidence.scores = {"as validated": evidence.scores["own"], "own": own}


def _hear_training(evidence, silent, model, batches, forward):
    def careful(model, batch):
        try:
            (forward or plain_forward)(model, batch)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            evidence.alone += 1

    batches = list(batches) if isinstance(batches, Iterator) else batches
    with Listener(batch_norms(model)) as listener:
        recorded, ends = frozen_pass(model, batches, careful)
    if not ends:
        raise ValueError("there are none")
    evidence.training, evidence.calls = listener.heard(), len(ends)
    evidence.exact = _statistics(silent, recorded, ends)
    if evidence.sample:
        ratio, sure = evidence.sample.sortedness
        if ratio > sure and forward is None and (anew := shuffled(batches)):
            evidence.as_given, batches = evidence.exact, anew
            evidence.exact = _statistics(silent, *frozen_pass(model, anew, careful))
    if evidence.model.dropout:
        evidence.still = _statistics([], *frozen_pass(model, batches, careful, dropout=False))


def _statistics(silent, recorded, ends):
    """Algorithm 2, or everything pooled where batches are of any size."""
    histories, left_out = recorded.usable()
    silent += [why for why in left_out.values() if why not in silent]
    found = {}
    for name, history in histories.items():
        its = [end[name] for end in ends]
        try:
            found[name] = put_together(history, its, "population")
        except ValueError:
            found[name] = put_together(history, its, "pooled")
    return found


def _judge_others(evidence, silent):
    scores, judge = evidence.scores, evidence.judge
    for name, statistics in (("exact", evidence.exact), ("still", evidence.still), ("as given", evidence.as_given)):
        if statistics and (score := _attempt(_NAMES[name], silent, partial(judge, statistics, what=_NAMES[name]))):
            scores[name] = score
    batch = _attempt(_NAMES["batch"], silent, partial(judge, batch=True, what=_NAMES["batch"]))
    if batch is None:
        return
    scores["batch"], evidence.validation = batch, judge.heard
    if not judge.heard:
        silent.append("validation inputs: validate(model) called no batch norm layer of this model with finite numbers")
        return
    adapted = {name: heard.pooled for name, heard in judge.heard.items()}
    if score := _attempt(_NAMES["validation"], silent, partial(judge, adapted, what=_NAMES["validation"])):
        scores["validation"] = score


def _layer_by_layer(evidence, silent):
    """Layer to how far it is off, and two scores: exact in this one alone, and its own in this one alone."""
    off = evidence.distances()
    layers = {name: (float(far), None, None) for name, far in off.items()}
    gain = evidence.between("exact", "own")
    if not gain or len(off) < 2 or not is_sure(abs(gain["cost"]), gain["chance"], evidence.scores["own"].value):
        return layers
    for name in sorted(off, key=off.get, reverse=True)[:_MOST]:
        alone = {name: evidence.exact[name]}
        but = {other: both for other, both in evidence.exact.items() if other != name}
        judged = partial(evidence.judge, what=f"layer {name}")
        scores = [_attempt(f"layer {name}", silent, judged, statistics) for statistics in (alone, but)]
        layers[name] = (layers[name][0], *(score and score.value for score in scores))
    return layers


# Conclusions


def _concluded(evidence, silent, layers, unexamined):
    examinations = from_recording.EXAMINATIONS if evidence.recorded else {}
    if evidence.layers:
        examinations = from_model.EXAMINATIONS | examinations
    if evidence.training or evidence.validation:
        examinations = examinations | from_data.EXAMINATIONS
    findings, tried = [], []
    for what, examine in examinations.items():
        for one in examine:
            found = _attempt(what, silent, lambda one=one: list(one(evidence)))
            findings += found or []
        tried.append(what)
    findings += _attempt("the rest", silent, lambda: list(from_recording.unexplained(evidence, findings))) or []
    own = evidence.scores.get("own")
    scores = {
        _NAMES[name]: (one.value, None if name == "own" else one.above(own)[1]) for name, one in evidence.scores.items()
    }
    if own:
        tried = [f"the same weights under {len(scores)} kinds of statistics", *tried]
    return Diagnosis(
        in_order(findings), scores, layers, evidence.exact, tuple(tried), (*silent, *unexamined), own and own.examples
    )


def _unexamined(evidence, model):
    words = [f"{name} ({why})" for name, why in (evidence.model.others if evidence.model else {}).items()]
    if not evidence.layers:
        words.insert(0, f"{type(model).__name__} has no batch norm layer that can be seen")
    if evidence.layers and not evidence.scores:
        words.append("what anything costs (give validate)")
    if evidence.layers and not evidence.training:
        words.append("exact statistics (give train_batches)")
    return words
