"""Runs in which the best weights come back without the statistics that they were judged with."""

import numpy as np

from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import EFFECTS, Axes, Experiment, Run, accuracy_curve
from bn_teach.lessons.shared.runs import trained
from bn_teach.lessons.shared.seeds import load_seeds
from bn_teach.replay import keep_best, replay
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
        return Run(value, lines, facts | _over_seeds(momentum, batch_size))

    return run


def _over_seeds(momentum, batch_size):
    """What luck and the latest statistics come to where other images judge than those that chose, in points."""
    kept = load_seeds().stopped[batch_size, "ema", momentum, PATIENCE]
    return {
        "luck": float((kept.seen - kept.own).mean()),
        "stale": float((kept.own - kept.latest).mean()),
        "runs": len(kept.seen),
    }


def _pair(momentum, batch_size):
    return {
        "broken": restored(momentum, batch_size, with_statistics=False),
        "fixed": restored(momentum, batch_size, with_statistics=True),
    }


_ACCURACY = "validation accuracy, % (dotted: the log)"
_AXES = Axes(_ACCURACY, "training step", (60, 101), (70, 101))


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
    careful="A part is luck: a step chosen because it looked best tends to look worse on other images. So let one half "
    "of the images choose and the other half judge, over {runs} seeds: {luck:.1f} points are luck, and {stale:.1f} are "
    "lost to the latest statistics. And it is not a loss in every case: with a long memory (turn the picture) the "
    "model gets better by being restored half.",
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
        **_pair(0.9, 4),
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
            **_pair(0.999, 16),
            effect=EFFECTS.get("restored, twist"),
            axes=_AXES,
        ),
    ),
)
