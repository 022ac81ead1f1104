"""From a lesson to the text of an HTML file: `template.html`, filled in."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from bn_teach.lessons.shared.choices import fill_in
from bn_teach.lessons.shared.legend import legend
from bn_teach.lessons.start_here.drawing import CAPTIONS, CURVES, MODES, bars, drawing, shelf_of, two
from bn_teach.lessons.start_here.picture import TEMPLATES
from bn_teach.lessons.whose_statistics import ink
from bn_teach.page.data import SETTING, STEP_LABEL, controls_of, data_of, run_data
from bn_teach.page.lesson import Row
from bn_teach.page.packing import deflated
from bn_teach.page.still import still_panels
from bn_teach.page.whose import QUESTIONS, axes, start_of, whose_data
from bn_teach.replay import inside

HERE = Path(__file__).parent
LESSON = Path(ink.__file__).parent  # has the drawing pad, which is a widget too
HTML = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
HTML.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}


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
    data = data_of(lesson, asked)
    keys = [trace["meta"] for trace in data["traces"]]
    return HTML.get_template("template.html").render(
        lesson=lesson,
        data=data,
        runs=[run_data(run, lesson, keys) for run in lesson.runs],
        start=_start(lesson),
        whose=whose_data(lesson.whose),
        whose_start=start_of(lesson.whose),
        whose_questions=tuple(QUESTIONS),
        whose_legend=legend(axes(lesson.whose).data),
        notebooks=notebooks,
        inline=_inline,
        plotly=_plotly(),
    )


def _start(lesson):
    """What the page shows before its script runs: drawings, legend, sentences, and the setting in words."""
    controls = controls_of(lesson)
    start, figure = lesson.default, lesson.axes()
    run = lesson.runs[lesson.batch_sizes.index(start["batch_size"])]
    row = Row(start["estimator"], start["momentum"])
    cell = row, start["unit"]
    names, fields = run.words[cell][-1]
    last = {name: run.lines[cell][curve][1][-1:] for name, curve in CURVES.items()}
    fields = {**fields, **{name: "".join(map(two, value)) for name, value in last.items()}}
    labels = {name: control["labels"] for name, control in controls.items() if name != "step"}
    labels["momentum"] = labels["momentum"]["ours"]
    setting = {name: its[controls[name]["start"]] for name, its in labels.items()}
    mode, shelf = next(iter(MODES)), shelf_of(row.estimator)
    momentum, batch_size = f"{row.momentum:g}", str(run.batch_size)
    hash = f"#momentum={momentum}&batch_size={batch_size}"
    return {
        "momentum": momentum,
        "batch_size": batch_size,
        "setting": SETTING.format(**setting, step=STEP_LABEL.format(**fields), hash=hash),
        "still": still_panels(figure, run.lines[cell], run.ranges[start["unit"]]),
        "legend": legend((*figure.data[2:], *figure.data[:2])),  # the spread, drawn first, is named last
        "sentence": fill_in(TEMPLATES, names, fields),
        "seeds": run.sentences_of_seeds[row],
        "drawing": drawing(mode, shelf, fields, bars(*inside(row.estimator, row.momentum, int(run.steps[-1])))),
        "caption": CAPTIONS[mode, shelf].format(**fields),
    }


def _inline(name):
    """A script or a style sheet as the text of its element, which must not contain the element's end."""
    text = next(path for folder in (HERE, LESSON) if (path := folder / name).exists()).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n").replace("</script", "<\\/script")


def _plotly():
    """plotly.js, deflated to less than half, and the notice that its licence wants to be read."""
    text = get_plotlyjs().replace("\r\n", "\n")
    return {"notice": " ".join(text[: text.index("*/")].strip("/* \n").split()), "text": deflated(text.encode("utf-8"))}
