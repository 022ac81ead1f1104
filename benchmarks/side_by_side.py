"""Measure two things side by side, interleaved in one process, and report their ratio.

Absolute times mean nothing on a shared machine; a ratio of neighbours in time does.
"""

import statistics
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How many times longer `slow` took than `fast`: one value per repetition."""

    name: str
    values: tuple
    target: float
    at_least: bool

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def missed_by_far(self):
        """Beyond what noise explains: a third off the target."""
        return self.median < self.target / 1.5 if self.at_least else self.median > self.target * 1.5

    def row(self):
        """One line of the table."""
        sign = "≥" if self.at_least else "≤"
        met = self.median >= self.target if self.at_least else self.median <= self.target
        spread = f"{min(self.values):.2f} to {max(self.values):.2f}"
        return f"| {self.name} | {self.median:.2f} | {spread} | {sign} {self.target:g} | {'yes' if met else 'no'} |"


def seconds(function):
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def ratio(name, numerator, denominator, target, *, at_least, repetitions=7):
    """Time two functions in turn, after one call of each to warm up."""
    numerator()
    denominator()
    values = tuple(seconds(numerator) / seconds(denominator) for _ in range(repetitions))
    return Ratio(name, values, target, at_least)
