"""What a picture shows, in words: results in, a plain sentence or two out. One file for each picture."""

from bn_teach.sentences.common import LAST, cost, percent
from bn_teach.sentences.momentum import momentum_numbers, momentum_sentence

__all__ = ["LAST", "cost", "momentum_numbers", "momentum_sentence", "percent"]
