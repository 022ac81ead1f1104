"""Twelve broken runs, one at a time: name the cause, commit a number, then see the fix."""

import html
import re
from dataclasses import dataclass, fields
from typing import NamedTuple

import ipywidgets as widgets

from bn_teach import _checks
from bn_teach.lessons.clinic.cases import CASES
from bn_teach.lessons.clinic.causes import CAUSES
from bn_teach.lessons.clinic.picture import clinic_figure, clinic_nothing, clinic_ranges, clinic_traces
from bn_teach.lessons.clinic.sentence import clinic_reveal, clinic_score, clinic_symptom, clinic_twist, clinic_verdict
from bn_teach.lessons.shared.background import LatestJob
from bn_teach.lessons.shared.bar import TrainingBar
from bn_teach.lessons.shared.explorer import Explorer, folded, row
from bn_teach.lessons.shared.live_figure import LiveFigure
from bn_teach.lessons.shared.question import Question


class Answer(NamedTuple):
    """What a learner committed: a key of `CAUSES`, and a number as it was typed."""

    cause: str
    number: str


# Since the kernel started, so that Run All again loses nothing: name of a case to its answer, and how it did.
_ANSWERS = {}
_RESULTS = {}

TITLES = {name: f"{number}. {case.title}" for number, (name, case) in enumerate(CASES.items(), start=1)}


@dataclass(frozen=True)
class ClinicState:
    """What the controls of `ClinicExplorer` say; `cause` is None before one is named."""

    case: str
    cause: str | None
    number: str
    picture: str
    seed: int


class ClinicExplorer(Explorer):
    """Walk through twelve broken training runs, each reproduced on the spot.

    A case shows its symptom. A learner names a cause and commits a number, and only then the fix is run and
    explained. What was committed stays, also when the cell is run again.

    Parameters
    ----------
    case : str
        The case to begin with, a key of `CASES`.

    Attributes
    ----------
    controls : dict
        ``case``, ``cause``, ``number``, ``picture`` ("case", or "twist" where its effect turns round), ``seed``.
    commit, previous, next, start_over : ipywidgets.Button
    state : ClinicState
    revealed : bool
        Whether the answer to the case on display was committed.
    score : str
    details : str
        The explanation, as plain text; empty before the answer.
    figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For an unknown case.

    Examples
    --------
    >>> explorer = ClinicExplorer("two-modes")
    >>> explorer.wait()
    >>> explorer.controls["cause"].value = "bug"
    >>> explorer.controls["number"].value = "1.4"
    >>> explorer.commit.click()
    >>> explorer.wait()
    >>> "the run says 1.41: close enough" in explorer.status
    True
    """

    def __init__(self, case="new-camera"):
        super().__init__()
        first = _checks.choice("case", case, tuple(CASES))
        self._job = LatestJob()
        self._runs = {}
        self._failed = None
        self._progress = TrainingBar()
        self._progress.description, self._progress.layout.width = "", "90px"  # the sentence says what it is about
        self.figure = LiveFigure(clinic_figure(None, None))
        self._build_controls(first)
        self._build_texts()
        rare = folded("more: another run of the same case, start over", self.controls["seed"], self.start_over)
        self._assemble(
            [
                row(self.previous, self.controls["case"], self.next, self._score, self._progress),
                self._symptom,
                row(self.controls["cause"], self._asked),
                self.controls["picture"],
            ],
            plot_label="Two panels: the broken run, with the fixed one beside it once an answer is committed, and the "
            "number that the case is about for several seeds, broken and fixed",
            below=[self._details, rare],
        )
        self._open()
        self._update()

    @property
    def state(self):
        """What the controls say now."""
        return ClinicState(**{field.name: self.controls[field.name].value for field in fields(ClinicState)})

    @property
    def revealed(self):
        """Whether the answer to the case on display was committed."""
        return self.controls["case"].value in _ANSWERS

    @property
    def score(self):
        """How far the walk has come, in words."""
        return self._score.value

    @property
    def details(self):
        """The explanation of the case on display, as plain text; empty before the answer."""
        return html.unescape(re.sub("<[^>]*>", " ", self._details.value)).strip()

    def wait(self, timeout=60):
        """Return when any run under way is shown; TimeoutError after `timeout` seconds."""
        super().wait(timeout)
        self._job.wait(timeout)

    def _build_controls(self, first):
        plain = {"style": {"description_width": "initial"}}
        self.controls = {
            "case": widgets.Dropdown(
                options=[(title, name) for name, title in TITLES.items()],
                value=first,
                description="case",
                layout=widgets.Layout(width="390px"),
                **plain,
            ),
            "cause": widgets.RadioButtons(
                options=[], description="cause", layout=widgets.Layout(width="max-content"), **plain
            ),
            "number": widgets.Text(
                description="your number", placeholder="a number", layout=widgets.Layout(width="270px"), **plain
            ),
            "picture": widgets.ToggleButtons(
                options=[("the case", "case"), ("turn the picture", "twist")], description="picture", **plain
            ),
            "seed": widgets.BoundedIntText(
                0, min=0, max=10**6, description="seed", layout=widgets.Layout(width="120px"), **plain
            ),
        }
        narrow = {"layout": widgets.Layout(width="max-content")}
        self.commit = widgets.Button(description="Commit and reveal", **narrow)
        self.previous = widgets.Button(description="Previous", **narrow)
        self.next = widgets.Button(description="Next", **narrow)
        self.start_over = widgets.Button(description="Forget all answers", **narrow)
        self.commit.on_click(lambda _: self._commit())
        self.previous.on_click(lambda _: self._step(-1))
        self.next.on_click(lambda _: self._step(1))
        self.start_over.on_click(lambda _: self._forget())

    def _build_texts(self):
        self._score = widgets.Label()
        self._symptom, self._prompt, self._details = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._asked = widgets.VBox([self._prompt, row(self.controls["number"], self.commit)])
        self._asked.layout.flex = "1 1 400px"

    def _react(self, control):
        self._failed = None
        if control is self.controls["case"]:
            self._open()

    def _open(self):
        """Put the questions of a case on display, and what was answered to them before."""
        name = self.controls["case"].value
        case, answer = CASES[name], _ANSWERS.get(name, Answer(None, ""))
        cause, number, picture = (self.controls[key] for key in ("cause", "number", "picture"))
        with self._quietly(), cause.hold_sync():
            cause.options = [(CAUSES[key], key) for key in case.causes]
            cause.value = answer.cause  # new options would name the first one
            number.value = answer.number
            number.description = f"your number ({case.unit})" if case.unit else "your number"
            picture.value = "case"
        self._prompt.value = _paragraph("Predict", case.question)
        names = list(CASES)
        self.previous.disabled, self.next.disabled = name == names[0], name == names[-1]
        self._lock_answer()

    def _lock_answer(self):
        """An answer is committed once; the turned picture is for afterwards."""
        turnable = self.revealed and CASES[self.controls["case"].value].twist is not None
        for widget in (self.controls["cause"], self.controls["number"], self.commit):
            widget.disabled = self.revealed
        self.controls["picture"].layout.display = None if turnable else "none"

    def _step(self, by):
        names = list(CASES)
        self.controls["case"].value = names[names.index(self.controls["case"].value) + by]

    def _forget(self):
        _ANSWERS.clear()
        _RESULTS.clear()
        self._open()
        self._update()

    def _commit(self):
        state = self.state
        with self._shown_errors():
            try:
                self._read(state)
            except ValueError as error:
                self._say(str(error))
                return
            _ANSWERS[state.case] = Answer(state.cause, state.number)
            self._lock_answer()
            self._update()

    def _read(self, state):
        """Return the number that was typed; ValueError with a friendly word if the answer is not complete."""
        if state.cause is None:
            raise ValueError("No cause is named yet. Take the one that you would look into first.")
        case = CASES[state.case]
        asked = Question(case.question, None, "", unit=case.unit or "here", low=case.low, high=case.high)
        return asked.read(state.number)

    def _draw(self):
        state, case = self.state, CASES[self.controls["case"].value]
        self._score.value = clinic_score(_RESULTS.values(), len(CASES))
        turned = state.picture == "twist" and case.twist is not None and self.revealed
        experiment = case.twist.experiment if turned else case.experiment
        wanted = (experiment, state.seed)
        if self._failed is not None:
            return self._tell_failure(case)
        broken, fixed = self._runs.get(wanted, (None, None))
        if broken is None or (self.revealed and fixed is None):
            self._run(wanted, broken, small=turned)
            return None
        self._job.cancel()
        fixed = fixed if self.revealed else None
        if not turned:
            self._symptom.value = _paragraph("", clinic_symptom(case, broken))
        if fixed is None:
            self._details.value = ""
            sentence = f"{experiment.number}: {experiment.written(broken.value)}. Name a cause and commit a number."
        elif turned:
            sentence = clinic_twist(case.twist, broken, fixed)
        else:
            sentence = self._judge(state, case, broken, fixed)
            self._details.value = _explained(case, broken, fixed)
        return (
            clinic_traces(experiment, broken, fixed),
            clinic_ranges(experiment, broken),
            sentence[0].upper() + sentence[1:],
        )

    def _judge(self, state, case, broken, fixed):
        """Compare the committed answer with the runs; the first comparison counts."""
        *result, text = clinic_verdict(case, broken, fixed, state.cause, self._read(state))
        _RESULTS.setdefault(state.case, tuple(result))
        self._score.value = clinic_score(_RESULTS.values(), len(CASES))
        return text

    def _tell_failure(self, case):
        """Leave an empty picture and unlock the answer, so that it can be committed again."""
        if self.controls["case"].value not in _RESULTS:
            _ANSWERS.pop(self.controls["case"].value, None)
            self._lock_answer()
        self._symptom.value = self._details.value = ""
        return clinic_nothing(), {}, f"'{case.title}' cannot be reproduced here: {self._failed}."

    def _run(self, wanted, known, *, small):
        """Run an experiment on a thread of its own; what is `known` of it, the broken run, is not run again."""
        revealed = self.revealed
        self._say(f"Running {'the fix' if revealed else 'the case'} ...")
        self._job.start(lambda cancelled: self._run_and_show(wanted, known, revealed, small, cancelled))

    def _run_and_show(self, wanted, broken, revealed, small, cancelled):
        experiment, seed = wanted
        with self._shown_errors():
            try:
                with self._progress.watching(cancelled):
                    broken = broken or experiment.broken(seed)
                    fixed = experiment.fixed(seed) if revealed else None
                if small:  # where an effect turns round, it may also vanish
                    experiment.check(seed, broken)
                    experiment.check(seed, fixed or broken)
                else:
                    experiment.check(seed, broken, fixed)
            except Exception as error:
                with self._lock:
                    if not cancelled():
                        self._failed = str(error).removesuffix(".") or type(error).__name__
                        self._update()
                return
            with self._lock:
                self._runs[wanted] = broken, fixed
                if not cancelled():
                    self._update()


_LINK = 'target="_blank" rel="noopener" style="color: var(--jp-content-link-color); text-decoration: underline"'


def _paragraph(heading, text):
    strong = f"<strong>{heading}.</strong> " if heading else ""
    return f'<p style="margin: 0 0 6px">{strong}{html.escape(text, quote=False)}</p>'


def _explained(case, broken, fixed):
    """The explanation as HTML, its threads as links."""
    told = []
    for thread in case.threads:
        name = html.escape(thread.name)
        link = f'<a href="{html.escape(thread.url)}" {_LINK}>{name}</a>' if thread.url else name
        told.append(f"{link}: {html.escape(thread.told, quote=False)}" if thread.told else link)
    paragraphs = [_paragraph(heading, text) for heading, text in clinic_reveal(case, broken, fixed)]
    return "".join([*paragraphs, f"<p><strong>It happened here.</strong> {'; '.join(told)}.</p>"])
