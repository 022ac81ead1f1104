"""The tables of estimators: every one is there, in the order in which they are offered."""

from bn_teach.lessons.shared.choices import ESTIMATOR_WORDS
from bn_teach.lessons.shared.panels import ESTIMATOR_STYLES
from bn_teach.replay import ESTIMATORS


def test_every_estimator_has_words_and_a_style():
    assert tuple(ESTIMATOR_WORDS) == tuple(ESTIMATOR_STYLES) == ESTIMATORS
