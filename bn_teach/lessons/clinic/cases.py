"""The cases, by name."""

from types import MappingProxyType

from bn_teach.lessons.clinic.batches import EPOCH_END, TIDY_PASS
from bn_teach.lessons.clinic.divisors import MISSING_VARIANCE, TWO_MODES
from bn_teach.lessons.clinic.memory import FAIR_AVERAGE, FIRST_EPOCH, JAGGED_CURVE, PORTED
from bn_teach.lessons.clinic.restoring import RESTORED
from bn_teach.lessons.clinic.who_writes import BY_FOLDER, NEW_CAMERA, RESTLESS_LOSS

CASES = MappingProxyType(
    {
        "new-camera": NEW_CAMERA,
        "fair-average": FAIR_AVERAGE,
        "restless-loss": RESTLESS_LOSS,
        "ported": PORTED,
        "two-modes": TWO_MODES,
        "missing-variance": MISSING_VARIANCE,
        "first-epoch": FIRST_EPOCH,
        "jagged-curve": JAGGED_CURVE,
        "tidy-pass": TIDY_PASS,
        "epoch-end": EPOCH_END,
        "by-folder": BY_FOLDER,
        "restored": RESTORED,
    }
)
"""Name to `Case`, in the order of the clinic."""
