"""What a question is."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bn_teach import _checks


@dataclass(frozen=True)
class Question:
    """A question with a measured answer.

    Attributes
    ----------
    prompt : str
    measure : callable
        Runs the experiment. Returns a dict: "answer" (a number, or one of `choices`) and whatever
        else `why` quotes.
    why : str
        Format string, filled in with what was measured.
    choices : tuple of str
        Empty if the answer is a number.
    unit : str
        Of a number.
    low, high : float
        A number outside was not meant seriously, or in another unit.
    close : float
        A number this near to the measured one counts as right.
    """

    prompt: str
    measure: Callable
    why: str
    choices: tuple = ()
    unit: str = ""
    low: float = 0.0
    high: float = 100.0
    close: float = 1.0

    def read(self, text):
        """Turn what a learner typed or chose into an answer.

        Raises
        ------
        ValueError
            With a friendly word, if it is empty, no number, or out of range.
        """
        if text is None or not str(text).strip():
            raise ValueError("There is no answer yet. A guess is enough: being wrong is the interesting part.")
        if self.choices:
            return _checks.choice("answer", text, self.choices)
        typed = str(text).strip().removesuffix("%").strip().replace(",", ".")
        try:
            value = float(typed)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"{text!r} is not a number. Digits are enough, such as 3 or 0.5.")
        if not self.low <= value <= self.high:
            raise ValueError(f"{typed} is outside {self.low:g} to {self.high:g} {self.unit}. What would you say?")
        return value

    def reveal(self, answer):
        """Run the experiment and say how an answer compares with it, and why.

        Parameters
        ----------
        answer : float or str
            From `read`.

        Returns
        -------
        right : bool
        text : str
        """
        measured = self.measure()
        truth = measured["answer"]
        why = self.why.format(**measured)
        if self.choices:
            right = answer == truth
            verdict = "Right" if right else f"You said: {answer}. The experiment says"
            return right, f"{verdict}: {truth}. {why}"
        off = answer - truth
        right = abs(off) <= self.close
        side = "too high" if off > 0 else "too low"
        distance = "close enough" if right else f"{abs(off):.1f} {side}"
        return right, f"You said {answer:g}, the run says {truth:.1f} {self.unit}: {distance}. {why}"
