"""Broken runs, one at a time: name the cause, commit a number, then see the fix."""

import html
import re
from dataclasses import dataclass

import ipywidgets as widgets

from bn_teach.lessons.clinic.case import CAUSES, Case
from bn_teach.lessons.clinic.cases import CASES, GROUPS
from bn_teach.lessons.clinic.picture import axes, explanation, nothing, picture, score, symptom, turned, verdict
from bn_teach.lessons.shared.background import LatestJob
from bn_teach.lessons.shared.bar import TrainingBar
from bn_teach.lessons.shared.commit import CommitButton
from bn_teach.lessons.shared.explorer import Explorer, dropdown, folded, number_text, radio_buttons, row, seed_box
from bn_teach.lessons.shared.question import Question

# Since the kernel started, so that Run All again loses nothing: name of a case to the cause and the number as they were
# committed, and to whether each was right.
_ANSWERS = {}
_RESULTS = {}

_NUMBERS = {name: number for number, name in enumerate(CASES, start=1)}
TITLES = {
    name: f"{group}: {_NUMBERS[name]}. {case.title}" for group, cases in GROUPS.items() for name, case in cases.items()
}


@dataclass(frozen=True)
class ClinicState:
    """What the controls of `ClinicExplorer` say; `cause` is None before one is named."""

    case: str
    cause: str | None
    number: str
    picture: str
    seed: int


class ClinicExplorer(Explorer):
    """Walk through broken training runs, each reproduced on the spot.

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
    revealed : bool
        Whether the answer to the case on display was committed.
    score : str
    details : str
        The explanation, as plain text; empty before the answer.
    state, figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError
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

    State = ClinicState

    def __init__(self, case="new-camera"):
        super().__init__()
        self._job = LatestJob()
        self._runs = {}
        self._failed = None
        self._progress = TrainingBar()
        self._progress.description, self._progress.layout.width = "", "90px"  # the sentence says what it is about
        self._score = widgets.Label()
        self._symptom, self._prompt, self._details = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.controls = {
            "case": dropdown("case", TITLES, width="460px"),
            "cause": radio_buttons("cause"),
            "number": number_text("your number"),
            "picture": widgets.ToggleButtons(
                options=[("the case", "case"), ("turn the picture", "twist")],
                description="picture",
                style={"description_width": "initial"},
            ),
            "seed": seed_box(),
        }
        self._set(case=case)
        self.commit = CommitButton(self._commit, self.controls["cause"], self.controls["number"])
        self.previous = _button("Previous", lambda: self._step(-1))
        self.next = _button("Next", lambda: self._step(1))
        self.start_over = _button("Forget all answers", self._forget)
        self._open()
        asked = widgets.VBox([self._prompt, row(self.controls["number"], self.commit)])
        asked.layout.flex = "1 1 400px"
        rare = folded("more: another run of the same case, start over", self.controls["seed"], self.start_over)
        self._assemble(
            axes(),
            [
                row(self.previous, self.controls["case"], self.next, self._score, self._progress),
                self._symptom,
                row(self.controls["cause"], asked),
                self.controls["picture"],
            ],
            plot_label="Two panels: the broken run, with the fixed one beside it once an answer is committed, and the "
            "number that the case is about for several seeds, broken and fixed",
            below=[self._details, rare],
        )

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

    @property
    def _case(self):
        return CASES[self.controls["case"].value]

    def _react(self, control):
        self._failed = None
        if control is self.controls["case"]:
            self._open()

    def _open(self):
        """Put the questions of a case on display, and what was answered to them before."""
        names, name, case = list(CASES), self.controls["case"].value, self._case
        cause, number = self.controls["cause"], self.controls["number"]
        with self._quietly(), cause.hold_sync():
            cause.options = [(CAUSES[key], key) for key in case.causes]
            cause.value, number.value = _ANSWERS.get(name, (None, ""))  # new options name the first one
            number.description = f"your number ({case.unit})" if case.unit else "your number"
            self.controls["picture"].value = "case"
        self._prompt.value = _paragraph("Predict", case.question)
        self.previous.disabled, self.next.disabled = name == names[0], name == names[-1]
        self._lock_answer()

    def _lock_answer(self):
        """An answer is committed once; the turned picture is for afterwards."""
        for widget in (self.controls["cause"], self.controls["number"], self.commit):
            widget.disabled = self.revealed
        turnable = self.revealed and self._case.twist is not None
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
        with self._lock, self._shown_errors():
            if self._quiet:  # the questions of another case are being put on display
                return
            state = self.state
            try:
                self._read(state)
            except ValueError as error:
                self._say(str(error))
                return
            _ANSWERS[state.case] = state.cause, state.number
            self._lock_answer()
            self._update()

    def _read(self, state):
        """Return cause and number; ValueError with a friendly word if the answer is not complete."""
        if state.cause is None:
            raise ValueError("No cause is named yet. Take the one that you would look into first.")
        case = self._case
        asked = Question(case.question, None, "", unit=case.unit or "here", low=case.low, high=case.high)
        return state.cause, asked.read(state.number)

    def _draw(self):
        self._score.value = score(_RESULTS.values(), len(CASES))
        state, case, revealed = self.state, self._case, self.revealed
        if self._failed is not None:
            return self._tell_failure(state)
        shown = case.twist if revealed and state.picture == "twist" and case.twist is not None else case
        broken, fixed = self._runs.get((shown.experiment, state.seed), (None, None))
        if broken is None or (revealed and fixed is None):
            self._run(shown, state.seed, broken, revealed)
            return None
        self._job.cancel()
        fixed, answer = (fixed, self._read(state)) if revealed else (None, None)
        if shown is case:
            self._tell(state, broken, fixed, answer)
        else:
            setting, why = turned(shown, broken, fixed).items()
            self._symptom.value, self._details.value = _paragraph(*setting), _paragraph(*why)
        return picture(shown, broken, fixed, answer)

    def _tell(self, state, broken, fixed, answer):
        """Put the symptom above the picture and, once there is an answer, what explains it below."""
        case = self._case
        self._symptom.value = _paragraph("", symptom(case, broken))
        self._details.value = _explained(case, broken, fixed) if answer else ""
        if answer:
            *result, _ = verdict(case, broken, fixed, *answer)
            _RESULTS.setdefault(state.case, result)  # the first comparison counts
            self._score.value = score(_RESULTS.values(), len(CASES))

    def _tell_failure(self, state):
        """Leave an empty picture and unlock the answer, so that it can be committed again."""
        if state.case not in _RESULTS:
            _ANSWERS.pop(state.case, None)
            self._lock_answer()
        self._symptom.value = self._details.value = ""
        return nothing(self._case, self._failed)

    def _run(self, shown, seed, known, revealed):
        """Run an experiment on a thread of its own; what is `known` of it, the broken run, is not run again."""
        self._say(f"Running {'the fix' if revealed else 'the case'} ...")
        self._job.start(lambda cancelled: self._run_and_show(shown, seed, known, revealed, cancelled))

    def _run_and_show(self, shown, seed, broken, revealed, cancelled):
        experiment, failed = shown.experiment, None
        with self._shown_errors():
            try:
                with self._progress.watching(cancelled):
                    broken = broken or experiment.broken(seed)
                    fixed = experiment.fixed(seed) if revealed else None
                # Where an effect turns round, it may also vanish.
                experiment.check(seed, broken, fixed, effect=isinstance(shown, Case))
            except Exception as error:
                failed = str(error).removesuffix(".") or type(error).__name__
            with self._lock:
                if failed is None:
                    self._runs[experiment, seed] = broken, fixed
                if not cancelled():
                    self._failed = failed
                    self._update()


def _button(description, press):
    button = widgets.Button(description=description, layout=widgets.Layout(width="max-content"))
    button.on_click(lambda _: press())
    return button


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
    paragraphs = [_paragraph(heading, text) for heading, text in explanation(case, broken, fixed).items()]
    return "".join([*paragraphs, f"<p><strong>It happened here.</strong> {'; '.join(told)}.</p>"])
