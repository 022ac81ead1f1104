"""Predict, then reveal: a learner commits an answer before the experiment shows its own."""

import html

import ipywidgets as widgets

from bn_teach import _checks
from bn_teach.lessons.questions import QUESTIONS
from bn_teach.lessons.shared.accessible import Accessible
from bn_teach.lessons.shared.bar import TrainingBar
from bn_teach.lessons.shared.commit import CommitButton
from bn_teach.lessons.shared.explorer import number_text, radio_buttons, row

# Answers given since the kernel started, so that Run All again loses none: name to answer.
_ANSWERS = {}


class Prediction:
    """Ask one question, take an answer, then run the experiment and compare.

    Run All goes through without an answer. An answer that was committed stays, also when the cell is
    run again.

    Parameters
    ----------
    name : str
        A key of `bn_teach.lessons.questions.QUESTIONS`.

    Attributes
    ----------
    answer : ipywidgets.Text or ipywidgets.RadioButtons
        Where the learner answers.
    commit : ipywidgets.Button
        Takes the answer, once, and reveals.
    result : str
        What the reveal says; empty before.
    view : ipywidgets.VBox
        What is displayed.

    Raises
    ------
    ValueError, TypeError
        For an unknown name.

    Examples
    --------
    >>> prediction = Prediction("training-loss")
    >>> prediction.answer.value = "it gets worse"
    >>> prediction.commit.click()
    >>> "it stays exactly the same" in prediction.result
    True
    """

    def __init__(self, name):
        self.name = _checks.choice("name", name, tuple(QUESTIONS))
        self.question = QUESTIONS[name]
        prompt = html.escape(self.question.prompt, quote=False)
        self.answer = self._answer_widget()
        self.commit = CommitButton(self._reveal, self.answer)
        self._progress = TrainingBar()
        self._result = widgets.HTML()
        self._result.add_class("bn-teach-status")
        self.view = widgets.VBox(
            [
                widgets.HTML(f"<p><strong>Predict.</strong> {prompt}</p>"),
                row(self.answer, self.commit, self._progress),
                self._result,
                Accessible(label="Prediction"),
            ]
        )
        self.view.add_class("bn-teach")
        if name in _ANSWERS:
            self.answer.value = _ANSWERS[name]
            self._reveal()

    @property
    def result(self):
        """What the reveal says, as plain text."""
        return html.unescape(self._result.value)

    def words(self):
        """The question in Markdown, for where no widgets are shown: a saved notebook on GitHub, say, or on paper."""
        choices = "\n".join(f"- {choice}" for choice in self.question.choices)
        answers = choices or f"(a number, in {self.question.unit})"
        return f"**Predict.** {self.question.prompt}\n\n{answers}\n\n*Run this cell to answer it.*"

    def _repr_mimebundle_(self, **kwargs):
        return {**self.view._repr_mimebundle_(**kwargs), "text/markdown": self.words()}

    def _answer_widget(self):
        if self.question.choices:
            return radio_buttons("your answer", self.question.choices)
        return number_text(f"your answer ({self.question.unit})")

    def _reveal(self):
        try:
            answer = self.question.read(self.answer.value)
        except ValueError as error:
            self._say(str(error))
            return
        self.answer.disabled = self.commit.disabled = True
        self._say("Running the experiment ...")
        try:
            with self._progress.watching():
                _, text = self.question.reveal(answer)
        except Exception as error:
            self._say(f"The experiment did not work here: {error} ({type(error).__name__})")
            self.answer.disabled = self.commit.disabled = False
            return
        _ANSWERS[self.name] = self.answer.value
        self._say(text)

    def _say(self, text):
        self._result.value = html.escape(text, quote=False)
