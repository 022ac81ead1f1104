"""The questions of notebook 00_start_here."""

from bn_teach.data import load_digits
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.runs import accuracy_at_end, run
from bn_teach.replay import LAST
from bn_teach.theory import start_up_weight
from bn_teach.training import TrainingConfig, live_losses


def _cost_of(momentum, batch_size):
    recording = run(batch_size)
    exact = accuracy_at_end(recording, estimator="algorithm2")
    under = accuracy_at_end(recording, momentum)
    return {
        "answer": 100 * (exact - under),
        "exact": 100 * exact,
        "under": 100 * under,
        "freed": 100 * (exact - accuracy_at_end(recording, momentum, "debiased")),
        "back": momentum / (1 - momentum),
        "left": 100 * start_up_weight(momentum, recording.steps),
        "steps": recording.steps,
    }


def _training_loss_after_sliding():
    config = TrainingConfig(steps=200)
    same = live_losses(load_digits(), config, momentum=0.9) == live_losses(load_digits(), config, momentum=0.999)
    return {"answer": _SAME if same else _WORSE}


_WORSE = "it gets worse"
_SAME = "it stays exactly the same"

QUESTIONS = {
    "training-loss": Question(
        "Two networks are trained from the same start on the same mini-batches, one keeping its running averages with "
        "momentum 0.9, the other with 0.999. What happens to the training loss of the second one?",
        _training_loss_after_sliding,
        "Both were trained for 200 steps, and every loss agrees to the last digit. In training, batch norm "
        "normalises each mini-batch by its own statistics; the running averages are written, and never read.",
        choices=(_WORSE, "it gets better", _SAME),
    ),
    "too-much-memory": Question(
        "Batch size 16, momentum 0.999, 800 steps. How many percentage points of validation accuracy will these "
        f"running statistics lose against the exact ones, averaged over the last {LAST} checkpoints?",
        lambda: _cost_of(0.999, 16),
        "Momentum 0.999 looks back {back:.0f} steps on average, and the run has only {steps}: {left:.0f} % of the "
        "weight is still on the initial value. That start makes most of the loss: freed of it, the same average "
        "loses {freed:.1f}, because the weights have moved on since. The network itself is no worse: with exact "
        "statistics the very same weights reach {exact:.1f} %.",
        unit="percentage points",
    ),
    "no-memory": Question(
        "Batch size 4, momentum 0: inference uses the statistics of the latest mini-batch, four images, and of nothing "
        "else. How many percentage points will that lose against exact statistics?",
        lambda: _cost_of(0.0, 4),
        "Four images are a noisy sample of the training set, so the network is judged through a mean and a variance "
        "that fit nobody. With exact statistics the same weights reach {exact:.1f} %, with those of the latest "
        "mini-batch {under:.1f} %.",
        unit="percentage points",
    ),
}
