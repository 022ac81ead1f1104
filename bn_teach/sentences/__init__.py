"""What a picture shows, in words: results in, a plain sentence or two out. One file for each picture."""

from bn_teach.sentences.batch_statistics import batch_statistics_numbers, batch_statistics_sentence
from bn_teach.sentences.clinic import (
    clinic_reveal,
    clinic_score,
    clinic_symptom,
    clinic_table,
    clinic_twist,
    clinic_verdict,
)
from bn_teach.sentences.common import LAST, cost, fill_in, percent
from bn_teach.sentences.controls import BATCH_SIZES, ESTIMATOR_LABELS, MOMENTA, PRESETS, momentum_labels
from bn_teach.sentences.momentum import (
    MOMENTUM_TEMPLATES,
    momentum_numbers,
    momentum_sentence,
    momentum_words,
)
from bn_teach.sentences.paper import paper_sentence
from bn_teach.sentences.race import race_sentence
from bn_teach.sentences.recorder import recorder_numbers, recorder_sentence
from bn_teach.sentences.running_statistics import running_statistics_numbers, running_statistics_sentence
from bn_teach.sentences.seeds import seeds_sentence
from bn_teach.sentences.two_modes import two_modes_numbers, two_modes_sentence
from bn_teach.sentences.valley import valley_sentence

__all__ = [
    "BATCH_SIZES",
    "ESTIMATOR_LABELS",
    "LAST",
    "MOMENTA",
    "MOMENTUM_TEMPLATES",
    "PRESETS",
    "batch_statistics_numbers",
    "batch_statistics_sentence",
    "clinic_reveal",
    "clinic_score",
    "clinic_symptom",
    "clinic_table",
    "clinic_twist",
    "clinic_verdict",
    "cost",
    "fill_in",
    "momentum_labels",
    "momentum_numbers",
    "momentum_sentence",
    "momentum_words",
    "paper_sentence",
    "percent",
    "race_sentence",
    "recorder_numbers",
    "recorder_sentence",
    "running_statistics_numbers",
    "running_statistics_sentence",
    "seeds_sentence",
    "two_modes_numbers",
    "two_modes_sentence",
    "valley_sentence",
]
