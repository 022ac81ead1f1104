"""Measure two things side by side, interleaved in one process, and report their ratio.

Absolute times mean nothing on a shared machine; a ratio of neighbours in time does. What stays on this
process's one thread is timed in CPU seconds, so that waiting for others does not count at all.
"""

import statistics
import time
from dataclasses import dataclass

NOISE = 1.5


@dataclass(frozen=True)
class Ratio:
    """How many times as long one thing took as another: one value per repetition.

    `at_least` tells whether the target is a lower limit (ours in the denominator) or an upper one.
    """

    name: str
    values: tuple
    target: float
    at_least: bool

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def met(self):
        return self.median >= self.target if self.at_least else self.median <= self.target

    @property
    def missed_by_far(self):
        """Beyond what noise explains."""
        return self.median < self.target / NOISE if self.at_least else self.median > self.target * NOISE

    def row(self):
        """One line of the table."""
        sign = "≥" if self.at_least else "≤"
        spread = f"{min(self.values):.2f} to {max(self.values):.2f}"
        return (
            f"| {self.name} | {self.median:.2f} | {spread} | {sign} {self.target:g} | {'yes' if self.met else 'no'} |"
        )


HEADER = "| what | median ratio | spread | target | met |\n|---|---|---|---|---|"


def seconds(function, clock=time.process_time):
    """Time one call."""
    start = clock()
    function()
    return clock() - start


def ratio(name, numerator, denominator, target, *, at_least, repetitions=7, clock=time.process_time):
    """Time two functions in turn, after one call of each to warm up."""
    numerator()
    denominator()
    values = tuple(seconds(numerator, clock) / seconds(denominator, clock) for _ in range(repetitions))
    return Ratio(name, values, target, at_least)
