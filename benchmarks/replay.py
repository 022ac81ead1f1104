"""What a replay costs: against its matrix products, against training, and against PyTorch.

Retraining in PyTorch gives what the replay gives: 800 steps, and the validation accuracy at 80
checkpoints under running statistics.
"""

import numpy as np
from side_by_side import ratio
from training_step import pytorch_run

from bn_teach.data import load_digits
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, train

MOMENTA = (0.0, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999)


def matrix_products(recording):
    """Return a function that does only what no replay can do without.

    The validation set goes through the layers above the first batch norm, at every checkpoint. (What
    the first linear layer makes of it does not depend on momentum.)
    """
    hidden = np.ones((len(recording.dataset.validation_x), recording.weight[1].shape[1]), np.float32)

    def run():
        for k in range(len(recording.checkpoint_steps)):
            z = hidden
            for weight in recording.weight[1:]:
                z = z @ weight[k]

    return run


def measure():
    """Return the ratios of a replay of 800 steps and 80 checkpoints."""
    digits, config = load_digits(), TrainingConfig()
    recording = train(digits, config)
    shown = []

    def once():
        shown[:] = [replay(recording, 0.99)]  # kept until the next one is there, as by whoever looks at it

    pytorch = pytorch_run(digits, config.batch_size, config.steps, validate_every=config.checkpoint_every)
    return [
        ratio("replay / its matrix products", once, matrix_products(recording), 3, at_least=False),
        ratio("training with all references / replay", lambda: train(digits, config), once, 10, at_least=True),
        ratio("retraining in PyTorch / replay", pytorch, once, 20, at_least=True),
        ratio(
            "nine momenta one by one / in one call",
            lambda: [replay(recording, p) for p in MOMENTA],
            lambda: replay(recording, MOMENTA),
            1,
            at_least=True,
        ),
    ]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
