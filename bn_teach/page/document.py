"""From a lesson to the text of an HTML file."""

import html
import json
import re
from pathlib import Path

from plotly.offline import get_plotlyjs

from bn_teach.lessons.shared.choices import fill_in
from bn_teach.lessons.shared.legend import legend
from bn_teach.lessons.start_here.picture import TEMPLATES
from bn_teach.page.data import SETTING, STEP_LABEL, data_of, run_data
from bn_teach.page.still import still_panels

HERE = Path(__file__).parent
FILES = ("page.css", "parts.css", "print.css", "unpack.js", "questions.js", "page.js")
RANGES = {"momentum": "momentum", "batch_size": "batch size", "step": "step"}
CHOICES = {"estimator": "statistics at inference", "unit": "unit", "written": "momentum is written as in"}
# Where the picture shows what a question asked about.
SEE = {
    "too-much-memory": "momentum=0.999&batch_size=16",
    "no-memory": "momentum=0&batch_size=4",
}
NOTEBOOKS = {
    "00_start_here": "What is averaged, over which data, who reads it, and what has it to do with early stopping?",
    "01_two_modes": "Why must a prediction not depend on its neighbours in the batch?",
    "02_samples_and_population": "How far off is one mini-batch, and what is “unbiased”?",
    "03_running_averages": "How much memory should a running average have?",
    "04_tracking_accuracy": "Which weights does early stopping keep?",
    "05_clinic": "The network is fine in training and wrong at inference: is it the statistics?",
    "06_the_paper": "What does the paper say, line by line, and what of it holds?",
    "07_your_framework": "What does your framework do, and what would have suited your own model?",
}


def document(lesson, asked, notebooks=None):
    """Write the page as text.

    Parameters
    ----------
    lesson : Lesson
    asked : dict
        From `questions_of`.
    notebooks : str, optional
        Address of the folder that the notebooks are in, for links.

    Returns
    -------
    str
    """
    figure = lesson.axes()
    data = data_of(lesson, asked)
    keys = [trace["meta"] for trace in data["traces"]]
    parts = {
        "plotly": _inline(get_plotlyjs()),
        **{name.replace(".", "_"): _inline((HERE / name).read_text(encoding="utf-8")) for name in FILES},
        "data": _json("lesson", data),
        "runs": "\n".join(_json(f"run-{n}", run_data(run, lesson, keys)) for n, run in enumerate(lesson.runs)),
        **_still(lesson, figure, data["controls"]),
        **_counts(lesson),
        "ranges": "\n".join(_range(name, label, data["controls"][name]) for name, label in RANGES.items()),
        "choices": "\n".join(_select(name, label, data["controls"][name]) for name, label in CHOICES.items()),
        "presets": "\n".join(_button(name) for name in data["presets"]),
        "questions": "\n".join(_question(name, asked[name]) for name in asked),
        "map": _map(lesson),
        "notebooks": "\n".join(_notebook(name, question, notebooks) for name, question in NOTEBOOKS.items()),
    }
    template = (HERE / "template.html").read_text(encoding="utf-8")
    # A single pass: what is put in is not searched again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _inline(script):
    """A script as the text of an element: it must not contain the element's end."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script")


def _json(name, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _still(lesson, figure, controls):
    """The first state: drawings, legend, sentence, and the setting in words."""
    start = lesson.default
    run = next(run for run in lesson.runs if run.batch_size == start["batch_size"])
    row = next(row for row in lesson.rows if (row.estimator, row.momentum) == (start["estimator"], start["momentum"]))
    cell = row, start["unit"]
    names, fields = run.words[cell][-1]
    labels = {name: _labels(control)[control["start"]] for name, control in controls.items() if control["labels"]}
    hash = f"#momentum={row.momentum:g}&batch_size={run.batch_size}"
    setting = SETTING.format(**labels, step=STEP_LABEL.format(**fields), hash=hash)
    return {
        "setting": html.escape(setting, quote=False),
        "still": still_panels(figure, run.lines[cell], run.ranges[start["unit"]]),
        "legend": legend((*figure.data[2:], *figure.data[:2])),  # the spread, drawn first, is named last
        "sentence": html.escape(fill_in(TEMPLATES, names, fields), quote=False),
        "seeds_sentence": html.escape(run.sentences_of_seeds[row], quote=False),
    }


def _labels(control):
    """What the options of a control are called; momentum begins with our way of writing it."""
    return control["labels"]["ours"] if isinstance(control["labels"], dict) else control["labels"]


def _counts(lesson):
    """What the text says of the data and the runs."""
    digits = lesson.dataset.name == "digits"
    return {
        "task": "to read handwritten digits" if digits else f"the data set {html.escape(lesson.dataset.name)}",
        "examples": "images" if digits else "examples",
        "train": f"{len(lesson.dataset.train_x):,}",
        "held_out": f"{len(lesson.dataset.validation_x):,}",
        "steps": f"{lesson.config.steps:,}",
        "every": str(lesson.config.checkpoint_every),
        "seeds": str(len(lesson.seeds)),
        "trained": str(len(lesson.seeds) * len(lesson.batch_sizes)),
        "states": f"{len(lesson.runs) * len(lesson.rows) * len(lesson.units) * len(lesson.runs[0].steps):,}",
        "settings": str(len(lesson.momenta) * len(lesson.batch_sizes)),
        "start_momentum": f"{lesson.default['momentum']:g}",
        "start_batch_size": str(lesson.default["batch_size"]),
        "hidden": " and ".join(map(str, lesson.config.hidden)),
        "units": "; ".join(html.escape(unit.label, quote=False) for unit in lesson.units),
    }


def _range(name, label, control):
    last, start = len(control["values"]) - 1, control["start"]
    play = '<button type="button" id="play">Play</button>' if name == "step" else ""
    return (
        f'<div class="slider" data-name="{name}"><label for="{name}">{label}</label>'
        f'<output for="{name}" id="{name}-value"></output>'
        f'<div class="track">{play}<input type="range" id="{name}" min="0" max="{last}" value="{start}"></div></div>'
    )


def _select(name, label, control):
    options = "".join(f'<option value="{n}">{html.escape(text)}</option>' for n, text in enumerate(control["labels"]))
    return f'<div class="choice"><label for="{name}">{label}</label><select id="{name}">{options}</select></div>'


def _button(name):
    return f'<button type="button" data-preset="{html.escape(name)}">{html.escape(name, quote=False)}</button>'


def _question(name, asked):
    """A question with its answers, and the measured one for a page without a script."""
    if asked["choices"]:
        answers = "".join(
            f'<label class="radio"><input type="radio" name="{name}" value="{html.escape(choice)}"> {choice}</label>'
            for choice in asked["choices"]
        )
        truth = asked["truth"]
    else:
        limits = f'min="{asked["low"]:g}" max="{asked["high"]:g}" step="any"'
        answers = (
            f'<label class="number">your answer <input type="number" name="{name}" {limits} inputmode="decimal"> '
            f"{asked['unit']}</label>"
        )
        truth = f"{asked['truth']:.1f} {asked['unit']}"
    see = f'<a class="see" href="#{SEE[name]}" hidden>See it in the picture</a>' if name in SEE else ""
    return (
        f'<div class="question" data-question="{name}"><fieldset><legend>{asked["prompt"]}</legend>'
        f'<div class="answers">{answers}</div>'
        '<button type="button" class="commit" hidden>Commit and reveal</button></fieldset>'
        f'<p class="reply" role="status" tabindex="-1"></p>{see}'
        f'<details class="measured"><summary>The measured answer</summary><p>{truth}. {asked["why"]}</p></details>'
        "</div>"
    )


def _map(lesson):
    """A table of momentum by batch size: points lost at the end; every number is a link to its picture."""
    lost = {
        (run.batch_size, row.momentum): 100 * run.lost[row]
        for run in lesson.runs
        for row in lesson.rows
        if row.estimator == "ema"
    }
    head = "".join(f'<th scope="col">{p:g}</th>' for p in lesson.momenta)
    body = "".join(
        f'<tr><th scope="row">{m}</th>{"".join(_map_cell(p, m, lost[m, p]) for p in lesson.momenta)}</tr>'
        for m in lesson.batch_sizes
    )
    return f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody>"


def _map_cell(momentum, batch_size, points):
    depth = sum(points >= limit for limit in (0.25, 1, 3, 10))
    text = f"{round(points, 1) + 0.0:.1f}".replace("-", "−")
    return f'<td class="depth-{depth}"><a href="#momentum={momentum:g}&amp;batch_size={batch_size}">{text}</a></td>'


def _notebook(name, question, folder):
    title = name[:2] + " " + name[3:].replace("_", " ")
    if folder:
        title = f'<a href="{html.escape(folder.rstrip("/"))}/{name}.ipynb">{title}</a>'
    return f"<li><strong>{title}</strong><br>{question}</li>"
