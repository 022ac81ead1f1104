"""The page without a browser: what is in the file, and what is refused."""

import base64
import dataclasses
import json
import os
import re
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plotly.offline import get_plotlyjs

from bn_teach.data import load_digits
from bn_teach.lessons.shared.choices import fill_in
from bn_teach.lessons.shared.panels import stacked
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.start_here.drawing import SVG, draw
from bn_teach.lessons.start_here.picture import TEMPLATES, picture
from bn_teach.page import lesson, write_page
from bn_teach.page.__main__ import main
from bn_teach.page.data import SETTING, controls_of, data_of, presets_of, questions_of, run_data
from bn_teach.page.document import document
from bn_teach.page.packing import Pack, rounded
from bn_teach.replay import ESTIMATORS, replay
from bn_teach.sweep import SweepFailed
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=45, hidden=(9, 6))
SMALL = {"config": CONFIG, "batch_sizes": (4, 16), "momenta": (0.0, 0.9, 0.999), "seeds": (0, 3)}
QUESTION = Question("How many?", lambda: {"answer": 7.0}, "Seven, with <brackets>.", unit="points")


@pytest.fixture(autouse=True)
def quick_questions(monkeypatch):
    """Five questions about the default network take three seconds; here one takes none."""
    monkeypatch.setattr("bn_teach.lessons.start_here.questions.QUESTIONS", {"counted": QUESTION})
    monkeypatch.setattr("bn_teach.page.whose.QUESTIONS", {})


@pytest.fixture(scope="module")
def small():
    return lesson.make_lesson(load_digits(), units=None, **SMALL)


@pytest.fixture(scope="module")
def recordings():
    return [train(load_digits(), dataclasses.replace(CONFIG, batch_size=m)) for m in SMALL["batch_sizes"]]


def unpacked(pack):
    """What the script of the page does."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(pack["data"]), -zlib.MAX_WBITS), np.uint8)
    arrays, at = [], 0
    for kind, length in pack["arrays"]:
        parts = planes[at : at + 4 * length].reshape(4, length).astype(np.uint32)
        at += 4 * length
        whole = np.cumsum(parts[0] | parts[1] << 8 | parts[2] << 16 | parts[3] << 24, dtype=np.uint32)
        reals = {"real": whole << pack["spared"], "exact": whole}
        arrays.append(reals[kind].view(np.float32) if kind in reals else whole)
    assert at == len(planes)
    return arrays


# Every state


def test_every_state_has_the_words_and_the_curves_of_the_explorer(small, recordings):
    keys = [trace.meta for trace in small.axes().data]
    compared = 0
    for run, recording in zip(small.runs, recordings):
        data = json.loads(json.dumps(run_data(run, small, keys)))
        arrays = unpacked(data["pack"])
        lines = arrays[data["lines"]].reshape(len(small.rows), len(small.units), len(keys), 2)
        fields = {name: (texts, arrays[at]) for name, (texts, at) in data["words"].items()}
        sequences, which = data["sequences"][0], arrays[data["sequences"][1]]
        exact, own = (replay(recording, estimator=name) for name in ("algorithm2", "batch"))
        state = 0
        for r, row in enumerate(small.rows):
            chosen = replay(recording, 0.9 if row.momentum is None else row.momentum, estimator=row.estimator)
            for u, unit in enumerate(small.units):
                for step in chosen.steps:
                    wanted = picture(chosen, exact, own, layer=unit.layer, unit=unit.number, step=step)
                    said = {name: texts[at[state]] for name, (texts, at) in fields.items()}
                    assert fill_in(TEMPLATES, sequences[which[state]], said) == wanted.sentence
                    assert run.ranges[unit] == wanted.ranges
                    for key, (x, y) in wanted.traces.items():
                        at_x, at_y = lines[r, u, keys.index(key)]
                        upto = np.searchsorted(arrays[at_x], step, side="right")
                        assert np.array_equal(arrays[at_x][:upto], x), key
                        assert np.array_equal(arrays[at_y][:upto], rounded(y)), key
                    state += 1
        compared += state
    assert compared == 2 * 10 * len(small.units) * 5


def test_the_templates_need_no_more_than_names_in_braces():
    """The script knows no format specifications."""
    for template in TEMPLATES.values():
        assert set(re.findall(r"\{.*?\}", template)) == set(re.findall(r"\{\w+\}", template))


def test_controls_offer_what_the_explorer_offers(small):
    offered = controls_of(small)
    assert list(offered) == ["momentum", "batch_size", "step", "estimator", "unit", "written", "mode"]
    assert offered["estimator"]["values"] == list(ESTIMATORS)
    assert offered["momentum"]["labels"]["pytorch"] == ["1 (kept: 0)", "0.1 (kept: 0.9)", "0.001 (kept: 0.999)"]
    # A preset that needs a momentum which is not there is not offered.
    assert list(presets_of(small)) == ["PyTorch's default", "tiny batches, no memory", "too much memory"]


def test_paper_names_every_control(small):
    assert set(re.findall(r"\{(\w+)\}", SETTING)) == {*controls_of(small), "hash"}


def test_the_drawing_needs_no_more_than_the_page_has(small):
    data = data_of(small, {})
    keys = [trace["meta"] for trace in data["traces"]]
    known = {*run_data(small.runs[0], small, keys)["words"], *data["drawing"]["curves"]}
    for caption in data["drawing"]["captions"].values():
        assert set(re.findall(r"\{.*?\}", caption)) == {f"{{{name}}}" for name in re.findall(r"\{(\w+)\}", caption)}
        assert set(re.findall(r"\{(\w+)\}", caption)) <= known
    assert set(re.findall(r'data-field="(\w+)"', SVG)) <= known | {"title", "caption"}
    assert set(data["drawing"]["curves"].values()) <= set(keys)


def test_before_the_script_runs_the_drawing_is_that_of_the_notebook(small, recordings, text):
    unit = small.units[0]
    drawn = draw(replay(recordings[1], 0.9), "training", layer=unit.layer, unit=unit.number, step=45)
    assert re.search(r"<svg.*</svg>", drawn, re.DOTALL)[0] in text


def test_stacked_panels_share_the_numbers_of_the_last(small):
    layout = data_of(small, {})["layouts"]["stacked"]
    assert [layout[f"xaxis{n}"].get("showticklabels", True) for n in ("", 2, 3)] == [False, False, True]
    assert [layout[f"xaxis{n}"].get("title", {}).get("text") for n in ("", 2, 3)] == [None, None, "training step"]


# Packing


@given(hnp.arrays(np.float64, st.integers(0, 40), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_packed_reals_keep_six_digits(values):
    pack = Pack()
    assert pack.add(values) == pack.add(values.copy()) == 0
    (stored,) = unpacked(json.loads(json.dumps(pack.written())))
    assert np.array_equal(stored, rounded(values))
    np.testing.assert_allclose(stored, values, rtol=2e-6, atol=1e-37)


@given(hnp.arrays(np.int64, st.integers(0, 40), elements=st.integers(0, 2**28)))
def test_packed_whole_numbers_stay_what_they_are(values):
    pack = Pack()
    pack.add(values)
    assert np.array_equal(unpacked(pack.written())[0], values)


@given(hnp.arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32, allow_nan=False)))
def test_exact_reals_keep_every_bit(values):
    pack = Pack()
    pack.add(values.astype(np.float64), exact=True)
    (stored,) = unpacked(json.loads(json.dumps(pack.written())))
    assert stored.tobytes() == values.tobytes()


def test_what_single_precision_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="must be finite"):
        Pack().add([np.nan])


# Seeds


def test_the_spread_is_that_of_all_seeds(small):
    curves = [
        replay(train(load_digits(), dataclasses.replace(CONFIG, batch_size=4, seed=seed)), 0.9).validation_accuracy
        for seed in (0, 3)
    ]
    row = lesson.Row("ema", 0.9)
    lines = small.runs[0].lines[row, small.units[0]]
    for key, edge in zip(lesson.SPREAD, (np.min(curves, axis=0), np.max(curves, axis=0))):
        assert np.array_equal(lines[key][1], edge)


def test_a_single_seed_has_no_spread_and_no_sentence_about_it(clouds):
    config = TrainingConfig(batch_size=8, steps=10, hidden=(3,))
    alone = lesson.make_lesson(clouds, config, batch_sizes=(8,), momenta=(0.9,), seeds=(0,), units=None)
    (run,) = alone.runs
    assert {len(shown[key][1]) for shown in run.lines.values() for key in lesson.SPREAD} == {0}
    assert set(run.sentences_of_seeds.values()) == {""}
    assert not any(trace.showlegend for trace in alone.axes().data[:2])


def test_the_sentence_about_seeds():
    assert lesson.seeds_sentence(np.array([-0.0001, 0.0003, 0.0002])) == (
        "Over 3 seeds, such statistics cost nothing at the end on average; the loss lies between 0.0 and 0.0."
    )
    gained = lesson.seeds_sentence(np.array([-0.01, -0.03]))
    assert "gain 2.0 percentage points at the end on average; the loss lies between -3.0 and -1.0." in gained


# The figure


def test_stacked_panels_lie_one_below_the_other(small):
    figure = small.axes()
    figure.plotly_relayout(stacked(figure))
    domains = [figure.layout[f"yaxis{n}"].domain for n in ("", 2, 3)]
    assert domains[0][1] == 1
    assert domains[2][0] == pytest.approx(0, abs=1e-9)
    assert all(below[1] < above[0] for above, below in pairwise(domains))
    assert all(figure.layout[f"xaxis{n}"].domain == (0, 1) for n in ("", 2, 3))


def test_units_are_distinct_and_the_first_is_that_of_the_notebooks(recordings):
    units = lesson.choose_units(recordings[1])
    assert (units[0].layer, units[0].number) == (0, 7)
    assert len({(unit.layer, unit.number) for unit in units}) == len(units)
    moved = np.abs(recordings[1].algorithm2_mean[0][-1] - recordings[1].algorithm2_mean[0][0])
    moved /= np.sqrt(recordings[1].algorithm2_var[0][-1])
    assert moved.argmax() in [unit.number for unit in units if unit.layer == 0]
    narrow = train(load_digits(), TrainingConfig(steps=10, hidden=(1,)))
    assert len(lesson.choose_units(narrow)) == 1


# The file


@pytest.fixture
def text(small):
    """The page, without what is packed."""
    return re.sub(r"[A-Za-z0-9+/]{200,}={0,2}", "", document(small, questions_of({"counted": QUESTION})))


def test_nothing_in_the_page_leads_to_another_host(text):
    assert not re.findall(r"""(?:src|href|action|url\()=?["'(]?\s*(?:https?:)?//""", text)
    assert "default-src 'none'" in text
    assert '<html lang="en">' in text
    assert "<title>" in text


def test_plotly_is_there_whole_and_so_is_its_licence(small):
    page = document(small, {})
    (notice, packed) = re.search(
        r'<script type="text/plain" id="plotly" data-notice="(.*?)">(.*?)</script>', page
    ).groups()
    assert zlib.decompress(base64.b64decode(packed), -zlib.MAX_WBITS).decode() == get_plotlyjs()
    assert "Plotly, Inc." in notice
    assert "MIT license" in notice


def test_nothing_is_left_to_fill_in(text):
    ours = text[: text.index("<script>//")]
    assert not re.search(r"\{\{|\{%|NaN|None", ours)


def test_words_are_text_and_no_elements(text):
    assert "<p>7.0 points. Seven, with &lt;brackets&gt;.</p>" in text


def test_data_cannot_end_their_own_element(text):
    start = text.index('id="lesson">') + len('id="lesson">')
    data = json.loads(text[start : text.index("</script>", start)])
    assert data["questions"]["counted"]["why"] == "Seven, with <brackets>."
    assert "<brackets>" not in text[start : text.index("</script>", start)]


def test_links_to_notebooks(small):
    linked = document(small, {}, "https://host.example/notebooks/")
    assert 'href="https://host.example/notebooks/00_start_here.ipynb"' in linked
    assert all((name := f"{notebook}.ipynb") and name in linked for notebook in ("05_clinic", "07_your_framework"))


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    """Also in another process with another hash seed, and when an executor trains."""
    first, second, third = (tmp_path / f"{n}.html" for n in range(3))
    write_page(first, **SMALL)
    with ThreadPoolExecutor(2) as executor:
        write_page(second, **SMALL, executor=executor)
    code = (
        "from bn_teach.page import whose, write_page\n"
        "from bn_teach.lessons.shared.question import Question\n"
        "from bn_teach.lessons.start_here import questions as start_here\n"
        "from bn_teach.training import TrainingConfig\n"
        f"start_here.QUESTIONS = {{'counted': Question('How many?', lambda: {{'answer': 7.0}}, {QUESTION.why!r}, "
        f"unit='points')}}\nwhose.QUESTIONS = {{}}\nwrite_page({str(third)!r}, **{SMALL!r})"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_progress_and_other_data(tmp_path, clouds):
    seen = []
    write_page(
        tmp_path / "page.html",
        dataset=clouds,
        config=TrainingConfig(batch_size=8, steps=20, hidden=(5,)),
        momenta=[0.5, 0.9],
        seeds=[1, 2],
        units=[(0, 4)],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(n, 12) for n in range(1, 13)]  # of 120 examples, batches of 2, 4, ... 64
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "layer 1, unit 4: chosen" in text
    assert "on 120 examples" in text
    assert "learns the data set clouds" in text


@pytest.mark.slow
def test_the_whole_page_is_smaller_than_five_megabytes(tmp_path):
    write_page(tmp_path / "page.html", seeds=[0])
    assert (tmp_path / "page.html").stat().st_size < 4.8e6


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys):
    written = []
    monkeypatch.setattr("bn_teach.page.__main__.write_page", lambda path, **given: written.append((path, given)))
    path = tmp_path / "page.html"
    path.write_text("a page")
    main([str(path), "--notebooks", "https://host.example"])
    assert written[0][0] == str(path)
    assert written[0][1]["notebooks"] == "https://host.example"
    assert "Written:" in capsys.readouterr().out


# Bad input


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"path": 3}, TypeError, "path must be a path, got 3"),
        ({"path": "."}, IsADirectoryError, "path must be that of a file, got the folder ."),
        ({"path": "missing/page.html"}, FileNotFoundError, "path must lie in a folder that exists, got missing"),
        ({"dataset": "digits"}, TypeError, "dataset must be a Dataset or None, got 'digits'"),
        ({"config": 16}, TypeError, "config must be a TrainingConfig, got 16"),
        ({"config": TrainingConfig(batch_norm=False)}, ValueError, "batch_norm=False"),
        ({"batch_sizes": 16}, TypeError, "batch_sizes must be a sequence, got 16"),
        ({"batch_sizes": []}, ValueError, "batch_sizes must not be empty"),
        ({"batch_sizes": [1]}, ValueError, "batch_sizes must be a whole number from 2 to 1348, got 1"),
        ({"batch_sizes": [16, 4]}, ValueError, "batch_sizes must increase"),
        ({"momenta": [0.9, 0.9]}, ValueError, "momenta must not repeat"),
        ({"momenta": [1.5]}, ValueError, "momenta must be between 0 and 1"),
        ({"momenta": [1.0]}, ValueError, "momenta must stay below 1"),
        ({"seeds": [0, -1]}, ValueError, "seeds must be a whole number of at least 0, got -1"),
        ({"seeds": "01"}, TypeError, "seeds must be a sequence, got '01'"),
        ({"units": [3]}, TypeError, r"units must hold pairs \(layer, unit\), got 3"),
        ({"units": [(0, 1), [0, 1]]}, ValueError, r"units must not repeat, got \(0, 1\) twice"),
        ({"units": [(2, 0)]}, ValueError, "units: layer must be a whole number from 0 to 1, got 2"),
        ({"units": [(0, 9)]}, ValueError, "units: unit must be a whole number from 0 to 8, got 9"),
        ({"notebooks": 3}, TypeError, "notebooks must be an address or None, got 3"),
        ({"progress": 3}, TypeError, "progress must be a function or None, got 3"),
        ({"executor": 3}, TypeError, "executor must be a concurrent.futures.Executor or None, got 3"),
    ],
)
def test_refuses_bad_arguments_by_name(tmp_path, monkeypatch, arguments, error, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        write_page(**{"path": "page.html", **SMALL, **arguments})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="path must lie in a folder that can be written to"):
        write_page(tmp_path / "page.html", **SMALL)


def test_a_failure_leaves_the_older_file_and_nothing_half_written(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("an older page")
    with pytest.raises(SweepFailed, match="diverged"):
        write_page(path, **{**SMALL, "config": dataclasses.replace(CONFIG, weight_scale=1e30)})

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("bn_teach._files.os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_page(path, **SMALL)
    assert [found.name for found in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "an older page"
