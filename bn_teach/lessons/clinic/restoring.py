"""Runs in which the best weights come back without the statistics that they were judged with."""

from dataclasses import replace as replaced

import numpy as np

from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import EFFECTS, Axes, Experiment, Run, accuracy_curve
from bn_teach.lessons.shared.runs import trained
from bn_teach.replay import keep_best, replay, restore
from bn_teach.training import TrainingConfig

PATIENCE = 10  # checkpoints


def restored(momentum, batch_size, *, with_statistics):
    """Build a function from a seed to a `Run`: early stopping, then the best weights put back.

    Parameters
    ----------
    momentum : float
    batch_size : int
    with_statistics : bool
        With the statistics of their own step; otherwise the latest ones stay.
    """

    def run(seed):
        replayed = replay(trained(TrainingConfig(batch_size=batch_size, seed=seed)), momentum)
        kept = keep_best(replayed, PATIENCE)
        value = 100 * (kept.seen if with_statistics else kept.latest)
        ends = np.array([kept.best_step, kept.stop_step], dtype=np.float64)
        steps, accuracy = accuracy_curve(replayed)
        seen = steps <= kept.stop_step
        judged = ends, np.array([value, value])
        lines = {"fixed": judged} if with_statistics else {"seen": judged, "reference": (steps[seen], accuracy[seen])}
        facts = {"best_step": kept.best_step, "stop_step": kept.stop_step, "log": 100 * kept.seen}
        return Run(value, lines, facts)

    return run


def halved(momentum, batch_size, *, with_statistics, others):
    """Build a function from a seed to a `Run`: as `restored`, but one half of the validation images chooses the step.

    The halves are drawn by lot, and each chooses once; the value is the mean of the two.

    Parameters
    ----------
    momentum, batch_size, with_statistics
        As in `restored`.
    others : bool
        The other half judges what was chosen; otherwise the half that chose does.
    """

    def run(seed):
        recording = trained(TrainingConfig(batch_size=batch_size, seed=seed))
        images = np.random.default_rng(seed).permutation(len(recording.dataset.validation_y))
        halves = [replay(_judged_on(recording, half), momentum) for half in (images[::2], images[1::2])]
        accuracy = []
        for chooser, other in (halves, halves[::-1]):
            kept = keep_best(chooser, PATIENCE)
            statistics = kept.best_step if with_statistics else kept.stop_step
            accuracy.append(100 * restore(other if others else chooser, kept.best_step, statistics)[0])
        return Run(float(np.mean(accuracy)), {}, {})

    return run


def _judged_on(recording, images):
    """The same training with some of its validation images."""
    dataset = recording.dataset
    some = {"validation_x": dataset.validation_x[images], "validation_y": dataset.validation_y[images]}
    return replaced(recording, dataset=replaced(dataset, **some))


def _pair(build, *arguments, **options):
    return {
        "broken": build(*arguments, with_statistics=False, **options),
        "fixed": build(*arguments, with_statistics=True, **options),
    }


_ACCURACY = "validation accuracy, % (dotted: the log)"
_AXES = Axes(_ACCURACY, "training step", (60, 101), (70, 101))


def _by_halves(name, momentum, batch_size, *, others):
    return Experiment(
        number="accuracy after restoring",
        unit="%",
        digits=1,
        **_pair(halved, momentum, batch_size, others=others),
        effect=EFFECTS.get(name),
        axes=_AXES,
    )


BY_HALVES = {
    name: _by_halves(name, *settings, others=others)
    for name, settings, others in (
        ("restored, half that chose", (0.9, 4), False),
        ("restored, other half", (0.9, 4), True),
        ("restored, twist, half that chose", (0.999, 16), False),
        ("restored, twist, other half", (0.999, 16), True),
    )
}
"""Where half of the images choose the step: name to `Experiment`. What comes back on the other half is no luck."""


def _come_back(name):
    effect = EFFECTS.get(name)
    return effect.size if effect else 0.0  # not measured yet


_CHOSEN, _JUDGED = _come_back("restored, half that chose"), _come_back("restored, other half")
_RUNS = len(EFFECTS["restored"].seeds)

RESTORED = Case(
    title="The best weights, and not the best accuracy",
    symptom="Batch size 4, momentum 0.9. The log (dotted) is best at step {best_step}: {log:.1f} %. Early stopping "
    "waits until step {stop_step}, puts the best weights back, and the model is judged once more on the same images: "
    "{before}.",
    cause="statistics-left-behind",
    causes=("luck", "overfitting", "statistics-left-behind", "training-mode"),
    question="How many percentage points come back when the statistics of that step are restored as well?",
    unit="percentage points",
    truth=lambda broken, fixed: fixed.value - broken.value,
    low=-20,
    high=100,
    formula="What was judged at step {best_step} was f(weights of {best_step}, statistics of {best_step}). What came "
    "back is f(weights of {best_step}, statistics of {stop_step}). Running statistics are part of the model.",
    fix="Save and restore both (PyTorch: the whole state_dict, not the parameters alone), or recompute the statistics "
    "after restoring.",
    spot="Evaluate right after restoring. If the number of the log does not come back to the last digit, something of "
    "the model did not either. PyTorch: keep copy.deepcopy(model.state_dict()); without the copy, what is kept goes on "
    "changing with the model.",
    careful="A part is luck. A step chosen because it looked best, with its own statistics, tends to look worse "
    f"with others. So let one half of the images choose and the other half judge, over {_RUNS} seeds: {_CHOSEN:.1f} "
    f"points come back on the half that chose, {_JUDGED:.1f} on the other. The second number is what the statistics "
    "are worth. And it is not a loss in every case: with a long memory (turn the picture) the model gets better by "
    "being restored half.",
    threads=(
        Thread(
            "CS231n, solver.py of assignment 2",
            "https://cs231n.github.io/",
            "the training loop of a course: keeps a copy of the parameters that were best on validation images and "
            "puts it back at the end; the running statistics are not among them",
        ),
        Thread(
            "huggingface/pytorch-image-models#102",
            "https://github.com/huggingface/pytorch-image-models/issues/102",
            "no early stopping, but the same slip with averaged weights: should the running statistics be averaged "
            "along? Code differs in that",
        ),
        Thread(
            "fadel/pytorch_ema#13",
            "https://github.com/fadel/pytorch_ema/issues/13",
            "averaged weights again: after they are copied into the model, the statistics still fit the original ones; "
            "the advice is a pass over the training data",
        ),
    ),
    experiment=Experiment(
        number="accuracy after restoring",
        unit="%",
        digits=1,
        **_pair(restored, 0.9, 4),
        effect=EFFECTS.get("restored"),
        axes=_AXES,
    ),
    twist=Twist(
        setting="The same with a long memory: batch size 16, momentum 0.999.",
        sides=("latest", "of its step"),
        words="Batch size 16, momentum 0.999: {before} with the latest statistics, {after} with those of the step "
        "itself.",
        why="At step {best_step} the average is still far behind, with 0.999^{best_step} of its weight on the start. "
        "By step {stop_step} it has caught up with the weights a little, and for that the latest statistics are the "
        "better ones. Statistics taken anew would be better than either.",
        experiment=Experiment(
            number="accuracy after restoring",
            unit="%",
            digits=1,
            **_pair(restored, 0.999, 16),
            effect=EFFECTS.get("restored, twist"),
            axes=_AXES,
        ),
    ),
)
