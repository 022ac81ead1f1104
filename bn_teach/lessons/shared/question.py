"""What a question is."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bn_teach import _checks

REPLIES = {
    "empty": "There is no answer yet. A guess is enough: being wrong is the interesting part.",
    "no number": "{typed} is not a number. Digits are enough, such as 3 or 0.5.",
    "outside": "{typed} is outside {low} to {high} {unit}. What would you say?",
    "right": "Right: {truth}. {why}",
    "wrong": "You said: {answer}. The experiment says: {truth}. {why}",
    "close": "You said {answer}, the run says {truth} {unit}: close enough. {why}",
    "too high": "You said {answer}, the run says {truth} {unit}: {off} too high. {why}",
    "too low": "You said {answer}, the run says {truth} {unit}: {off} too low. {why}",
}
"""What a learner is told, with named fields; the script of a page fills the same sentences."""


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
            raise ValueError(REPLIES["empty"])
        if self.choices:
            return _checks.choice("answer", text, self.choices)
        typed = str(text).strip().removesuffix("%").strip().replace(",", ".")
        try:
            value = float(typed)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(REPLIES["no number"].format(typed=repr(text)))
        if not self.low <= value <= self.high:
            outside = {"typed": typed, "low": f"{self.low:g}", "high": f"{self.high:g}", "unit": self.unit}
            raise ValueError(REPLIES["outside"].format(**outside))
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
            return right, REPLIES["right" if right else "wrong"].format(answer=answer, truth=truth, why=why)
        off = answer - truth
        right = abs(off) <= self.close
        name = "close" if right else "too high" if off > 0 else "too low"
        said = {"answer": f"{answer:g}", "truth": f"{truth:.1f}", "off": f"{abs(off):.1f}", "unit": self.unit}
        return right, REPLIES[name].format(**said, why=why)
