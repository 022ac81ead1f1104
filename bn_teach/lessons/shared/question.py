"""What a question is."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bn_teach import _checks

REPLIES = {
    "empty": "There is no answer yet. A guess is enough: being wrong is the interesting part.",
    "no number": "{typed} is not a number. Digits are enough, such as 3 or 0.5.",
    "outside": "{typed} is outside {low} to {high} {unit}. What would you say?",
    "right": "Right: {truth}.",
    "wrong": "You said: {answer}. The experiment says: {truth}.",
    "close": "You said {answer}, the run says {measured}: close enough.",
    "too high": "You said {answer}, the run says {measured}: {off} too high.",
    "too low": "You said {answer}, the run says {measured}: {off} too low.",
}
"""What a learner is told, with named fields; the script of a page fills the same sentences."""

_OF_A_HUNDRED = ("%", "percent", "per cent", "points")
_POINT = 1.0  # about how far another 449 images move an accuracy of 97 %: sqrt(0.97 * 0.03 / 449) is 0.8 points


@dataclass(frozen=True)
class Ruler:
    """Holds an answer against a measured number: the one rule for "close enough", wherever a number is asked for.

    An answer is close enough if it is within a quarter of the measured number: for a guess at what a
    run will do that is near. Where a formula gives the number, so that it can be worked out, it is
    to be within a twentieth. What is given in per cent, or in percentage points, is 1 point wide at any
    rate, because chance alone moves an accuracy as far; and of a share above 50 % it is the rest to 100 that
    counts: 75 is not close to 98.

    Attributes
    ----------
    truth : float
        What was measured.
    unit : str
    computable : bool
        Whether a formula gives the number.

    Examples
    --------
    >>> Ruler(2.9, "percentage points").reply(1.0)
    'You said 1, the run says 2.9 percentage points: 1.9 too low.'
    >>> Ruler(2.9, "percentage points").reply(2.0)
    'You said 2, the run says 2.9 percentage points: close enough.'
    """

    truth: float
    unit: str = ""
    computable: bool = False

    @property
    def close(self):
        """How far off an answer may be."""
        part = 1 / 20 if self.computable else 1 / 4
        if self._of_a_hundred:
            return max(part * min(abs(self.truth), abs(100 - self.truth)), _POINT)
        return part * abs(self.truth)

    @property
    def decimals(self):
        """With how many decimals numbers are written: one in per cent, otherwise what makes three digits."""
        if self._of_a_hundred or not self.truth:
            return 1
        return max(0, 2 - math.floor(math.log10(abs(self.truth))))

    @property
    def measured(self):
        """The measured number and its unit, in words."""
        return f"{self._written(self.truth)} {self.unit}".strip()

    def is_close(self, answer):
        """Whether an answer is close enough."""
        return bool(abs(answer - self.truth) <= self.close)

    def reply(self, answer):
        """Say how an answer compares."""
        off = answer - self.truth
        name = "close" if self.is_close(answer) else "too high" if off > 0 else "too low"
        return REPLIES[name].format(answer=f"{answer:g}", measured=self.measured, off=self._written(abs(off)))

    @property
    def _of_a_hundred(self):
        return self.unit.startswith(_OF_A_HUNDRED)  # "percentage points" are among them

    def _written(self, value):
        return f"{value:.{self.decimals}f}"


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
    computable : bool
        Whether a formula gives the number. How near an answer must be is for `Ruler` to say.
    """

    prompt: str
    measure: Callable
    why: str
    choices: tuple = ()
    unit: str = ""
    low: float = 0.0
    high: float = 100.0
    computable: bool = False

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

    def ruler(self, truth):
        """Return what answers are held against once `truth` is measured."""
        return Ruler(truth, self.unit, self.computable)

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
            reply = REPLIES["right" if right else "wrong"].format(answer=answer, truth=truth)
        else:
            ruler = self.ruler(truth)
            right, reply = ruler.is_close(answer), ruler.reply(answer)
        return right, f"{reply} {why}"
