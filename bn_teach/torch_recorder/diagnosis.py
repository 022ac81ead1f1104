"""What `checkup` says: findings, and the diagnosis that puts them in order. Nothing here needs PyTorch."""

import html
import math
import textwrap
from dataclasses import dataclass, field

WIDTH = 100
OWN, EXACT = "its own", "exact, from training batches"  # two of the scores


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes
    ----------
    name : str
        Of this kind of finding, short and stable.
    case : str
        The case of the clinic (notebook 05) that explains it; empty if none does.
    seen : str
        What was seen, in numbers.
    cause, mend : str
        A sentence, and a line of Python.
    layers : tuple of str
        Where; empty if everywhere.
    cost : float or None
        What mending it would bring, in the user's own metric; None if that cannot be measured on the same weights.
    chance : float or None
        Standard error of `cost` over the validation examples; None if the metric does not tell.
    sure : bool
        Whether `cost` is more than chance: than three standard errors, or a hundredth of the score where none is known.
    """

    name: str
    case: str
    seen: str
    cause: str
    mend: str
    layers: tuple = ()
    cost: float | None = None
    chance: float | None = None
    sure: bool = False

    @property
    def costs(self):
        """The cost in words."""
        if self.cost is None:
            return "cannot be measured here"
        if math.isinf(self.cost):
            return "everything: without it there is a number"
        chance = "" if self.chance is None else f" ± {self.chance:.2g}"
        return f"{self.cost:.3g}{chance}" + ("" if self.sure else ", no more than chance")


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What is wrong with the running statistics of a model, if anything.

    `print` shows it as text, a notebook as a table with a figure.

    Attributes
    ----------
    findings : tuple of Finding
        What costs most first; then what cannot be measured, then what costs no more than chance.
    scores : dict of str to (float, float or None)
        What the same weights are worth under other statistics, each with the standard error of what it is above or
        below ``"its own"``.
    layers : dict of str to (float, float or None, float or None)
        Layer to how far normalised values are off, in standard deviations; to the score with the exact statistics
        in this layer alone, and to that with its own in this layer alone.
    exact : dict of str to (mean, var)
        Ready for `write_back`.
    tried : tuple of str
        What was looked at.
    silent : tuple of str
        What could not be looked at, and why.
    examples : int or None
        Validation examples.
    """

    findings: tuple
    scores: dict = field(default_factory=dict)
    layers: dict = field(default_factory=dict)
    exact: dict = field(default_factory=dict)
    tried: tuple = ()
    silent: tuple = ()
    examples: int | None = None

    @property
    def verdict(self):
        """The answer in a sentence."""
        first = self.findings[0] if self.findings else None
        if not self.tried:
            return "Nothing could be examined."
        if first is None and len(self.scores) > 1:
            return "Nothing is wrong with the statistics."
        if first is None:
            return "Nothing wrong was found, as far as anything could be looked at."
        if first.sure:
            return f"It is the statistics, and costs {first.costs}. {first.cause}"
        if self.scores:
            return "Nothing that was found costs more than chance, as far as that can be measured."
        return "Something was found. What it costs was not measured: that needs validate."

    @property
    def carrier(self):
        """The layer that carries most of the loss, in a sentence; empty where no layer was judged by itself."""
        judged = {name: but for name, (_, _, but) in self.layers.items() if but is not None}
        if not judged or not any(finding.sure for finding in self.findings):
            return ""
        worst = min(judged, key=judged.get)
        return f"Its own statistics do most harm in {called(worst)}: {judged[worst]:.4g} with all others exact."

    @property
    def worth_writing(self):
        """Whether something costs more than chance, and exact statistics are better."""
        own, exact = (self.scores.get(name, (0.0, None))[0] for name in (OWN, EXACT))
        return any(finding.sure for finding in self.findings) and not exact <= own

    def __str__(self):
        lines = [*_wrapped(self.verdict), ""]
        if self.scores:
            lines += _scores_as_text(self.scores, self.examples)
        if any(alone is not None for _, alone, _ in self.layers.values()):
            lines += [*_layers_as_text(self.layers), *_wrapped(self.carrier, "  "), ""]
        for number, finding in enumerate(self.findings, 1):
            lines += _finding_as_text(number, finding)
        lines += _wrapped("Tried: " + "; ".join(self.tried) + "." if self.tried else "")
        lines += _wrapped("Not examined: " + "; ".join(self.silent) + "." if self.silent else "")
        if self.worth_writing:
            lines += ["", "Nothing was changed. Write it back?", f"    {_WRITE_BACK}"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        parts = [f"<p><strong>{html.escape(self.verdict)}</strong></p>"]
        if self.scores:
            parts.append(_figure(self.scores, self.examples))
        if self.findings:
            parts.append(_findings_as_html(self.findings))
        if any(alone is not None for _, alone, _ in self.layers.values()):
            parts.append(_layers_as_html(self.layers) + f"<p>{html.escape(self.carrier)}</p>")
        for title, words in (("Tried", self.tried), ("Not examined", self.silent)):
            if words:
                parts.append(f"<p><em>{title}:</em> {html.escape('; '.join(words))}.</p>")
        if self.worth_writing:
            parts.append(f"<p>Nothing was changed. Write it back? <code>{html.escape(_WRITE_BACK)}</code></p>")
        return {"text/plain": str(self), "text/html": f"<div>{''.join(parts)}</div>"}


_WRITE_BACK = "write_back(model, diagnosis.exact)"


def called(layer):
    """What a layer is called in a sentence; that of a model which is nothing but one layer has no name."""
    return f"layer {layer!r}" if layer else "the model"


def in_order(findings):
    """Put what costs most first, then what cannot be measured, then what costs no more than chance."""

    def rank(finding):
        return (0 if finding.sure else 1 if finding.cost is None else 2), -(finding.cost or 0.0)

    return tuple(sorted(findings, key=rank))


# As text


def _wrapped(text, indent="", first=None):
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent, break_on_hyphens=False
    )


def _scores_as_text(scores, examples):
    of = f", {examples} examples" if examples else ""
    width = max(map(len, scores))
    rows = [f"  {name:{width}}  {_score(*score)}" for name, score in scores.items()]
    return [f"The same weights under other statistics (your metric{of}):", *rows, ""]


def _score(value, chance):
    return f"{value:.4g}" + (f"  (± {chance:.2g} against its own)" if chance else "")


def _number(value):
    return "" if value is None else f"{value:.4g}"


_LAYER_HEADS = ("layer", "off by", "exact here alone", "own here alone")
_LAYER_WORDS = (
    "Off by: standard deviations of a normalised value. The scores: exact statistics in this layer and its own in all "
    "others; and the other way round."
)


def _layer_rows(layers):
    return [
        (name or "the model", f"{off:.3g}", _number(alone), _number(but))
        for name, (off, alone, but) in layers.items()
        if alone is not None
    ]


def _layers_as_text(layers):
    rows = [_LAYER_HEADS, *_layer_rows(layers)]
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    table = [
        "  " + "  ".join(f"{cell:{'<' if at == 0 else '>'}{widths[at]}}" for at, cell in enumerate(row)) for row in rows
    ]
    return ["Layer by layer:", *(line.rstrip() for line in table), *_wrapped(_LAYER_WORDS, "  ")]


def _finding_as_text(number, finding):
    where = f" ({_some(finding.layers)})" if finding.layers else ""
    told = {
        "seen": finding.seen,
        "costs": finding.costs,
        "cause": finding.cause,
        "mend": finding.mend,
        "clinic": f'case "{finding.case}" of notebook 05' if finding.case else "",
    }
    lines = [f"{number}. {finding.name}{where}"]
    for word, text in told.items():
        if text:
            lines += _wrapped(text, " " * 10, f"   {word:7}")
    return [*lines, ""]


def _some(layers):
    names = ", ".join(name or "the model" for name in layers[:4])
    more = f" and {len(layers) - 4} more" if layers[4:] else ""
    return f"layer{'s' * (len(layers) > 1)} {names}{more}"


# In a notebook

_CELL = "text-align: start; vertical-align: top; white-space: normal"


def _table(caption, heads, rows):
    head = "".join(f'<th scope="col" style="{_CELL}">{html.escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row" style="{_CELL}">{first}</th>'
        + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    if caption:
        caption = f'<caption style="text-align: start; caption-side: bottom">{html.escape(caption)}</caption>'
    style = "max-width: 60em; margin: 1em 0"
    return f'<table style="{style}">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _findings_as_html(findings):
    rows = []
    for finding in findings:
        where = f"<br>{html.escape(_some(finding.layers))}" if finding.layers else ""
        told = (finding.costs, finding.seen, finding.cause)
        mend = f"<code>{html.escape(finding.mend)}</code>"
        rows.append((html.escape(finding.name) + where, *map(html.escape, told), mend, html.escape(finding.case)))
    return _table("", ("found", "costs", "seen", "cause", "the line that mends it", "clinic"), rows)


def _layers_as_html(layers):
    rows = [tuple(map(html.escape, row)) for row in _layer_rows(layers)]
    return _table(_LAYER_WORDS, _LAYER_HEADS, rows)


def _figure(scores, examples):
    """Draw a dot for each score with a bar of two standard errors, on one axis; in the colour of the text."""
    finite = {name: score for name, score in scores.items() if math.isfinite(score[0])}
    if not finite:
        return ""
    ends = [value + side * 2 * (chance or 0) for value, chance in finite.values() for side in (-1, 1)]
    low, high = min(ends), max(ends)
    room = (high - low) or abs(high) or 1.0
    low, high = low - 0.05 * room, high + 0.05 * room
    left, right, step = 250, 560, 24

    def x(value):
        return left + (right - left) * (value - low) / (high - low)

    drawn = ""
    for row, (name, (value, chance)) in enumerate(finite.items()):
        y, spread = 18 + step * row, 2 * (chance or 0)
        drawn += (
            f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="{left}" y="{y}" width="{right - left}" height="1" opacity="0.2"/>'
            f'<rect x="{x(value - spread):.1f}" y="{y - 1}" height="3"'
            f' width="{x(value + spread) - x(value - spread):.1f}"/>'
            f'<circle cx="{x(value):.1f}" cy="{y}" r="5"/><text x="{right + 12}" y="{y + 4}">{value:.4g}</text>'
        )
    of = f", {examples} examples" if examples else ""
    caption = f"Your metric{of}: the same weights under other statistics. Bars: two standard errors of the difference."
    words = caption + " " + "; ".join(f"{name}: {value:.4g}" for name, (value, _) in finite.items())
    height = 18 + step * len(finite)
    return (
        f'<svg viewBox="0 0 640 {height}" width="640" style="max-width: 100%" role="img" '
        f'aria-label="{html.escape(words)}" fill="currentColor" font-size="13">{drawn}</svg>'
        f"<p><em>{html.escape(caption)}</em></p>"
    )
