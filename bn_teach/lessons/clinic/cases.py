"""The cases, by name."""

from types import MappingProxyType

from bn_teach.lessons.clinic.batches import EPOCH_END, PADDING, TIDY_PASS
from bn_teach.lessons.clinic.crowds import FROZEN_BACKBONE, ONE_CLASS_TEST, TWO_CROWDS
from bn_teach.lessons.clinic.divisors import MISSING_VARIANCE, TWO_MODES
from bn_teach.lessons.clinic.memory import FAIR_AVERAGE, FIRST_EPOCH, JAGGED_CURVE, PORTED
from bn_teach.lessons.clinic.other_weights import AVERAGED_WEIGHTS, RESTORED, SHRUNK_WEIGHTS
from bn_teach.lessons.clinic.recipes import ACCUMULATION, COUNTED_TWICE, DROPOUT_BEFORE
from bn_teach.lessons.clinic.who_writes import BY_FOLDER, NEW_CAMERA, RESTLESS_LOSS

# By what its owner was doing, which does not tell what the cause is.
GROUPS = MappingProxyType(
    {
        "judging": {"new-camera": NEW_CAMERA, "by-folder": BY_FOLDER, "one-class-test": ONE_CLASS_TEST},
        "a curve": {
            "restless-loss": RESTLESS_LOSS,
            "first-epoch": FIRST_EPOCH,
            "jagged-curve": JAGGED_CURVE,
            "epoch-end": EPOCH_END,
            "ported": PORTED,
            "fair-average": FAIR_AVERAGE,
        },
        "one layer": {"two-modes": TWO_MODES, "missing-variance": MISSING_VARIANCE, "padding": PADDING},
        "a recipe": {
            "two-crowds": TWO_CROWDS,
            "dropout-before": DROPOUT_BEFORE,
            "accumulation": ACCUMULATION,
            "counted-twice": COUNTED_TWICE,
        },
        "after": {
            "restored": RESTORED,
            "tidy-pass": TIDY_PASS,
            "averaged-weights": AVERAGED_WEIGHTS,
            "shrunk-weights": SHRUNK_WEIGHTS,
            "frozen-backbone": FROZEN_BACKBONE,
        },
    }
)
"""Group to its cases: name to `Case`."""

CASES = MappingProxyType({name: case for cases in GROUPS.values() for name, case in cases.items()})
"""Name to `Case`, in the order of the clinic."""
