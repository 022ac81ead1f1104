"""The table of notebook 07: what a run of each layer shows is what `FRAMEWORKS` says, and it reads as a table."""

import re

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS, kept_fraction
from bn_teach.lessons.your_framework.framework_table import FrameworkTable, run_framework


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_run_finds_what_is_written_down(name):
    framework, row = FRAMEWORKS[name], run_framework(name)
    assert (row.framework, row.own_momentum, row.weighs) == (
        framework.name,
        framework.default_momentum,
        framework.momentum_weighs,
    )
    assert row.kept == kept_fraction(name, framework.default_momentum)
    assert row.divisor == ("n-1" if framework.running_var_unbiased else "n")
    assert row.eps == framework.eps
    assert row.start_is_given == (framework.initial_mean is None)
    if not row.start_is_given:
        assert row.start == (framework.initial_mean, framework.initial_var)
    assert (
        row.batch_of_one
        == {"error": "refused", "beta": "gives 0.5", "nan": "NaN on a GPU (refused here)"}[framework.single_example]
    )


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"momentum": 0.1}, "kept"),
        ({"unbiased": False}, "divisor"),
        ({"eps": 1e-3}, "eps"),
        ({"initial_var": 0.0}, "start"),
    ],
)
def test_a_layer_that_did_otherwise_would_show(monkeypatch, change, column):
    usual, like = run_framework("pytorch"), BatchNorm.like
    monkeypatch.setattr(BatchNorm, "like", lambda name, features: like(name, features, **change))
    assert getattr(run_framework("pytorch"), column) != getattr(usual, column)


def test_one_update_by_hand():
    assert run_framework("pytorch").after == (1.0, 2.15)  # 0.9 * 1 + 0.1 * 12.5
    assert run_framework("keras").after == (0.1, 1.09)  # 0.99 * 1 + 0.01 * 10
    assert run_framework("cs231n").after == (1.0, 1.0)  # 0.9 * 0 + 0.1 * 10


def test_the_text_has_a_line_for_every_framework_with_aligned_columns():
    caption, empty, head, *lines = str(FrameworkTable()).splitlines()
    assert "run when this table was made" in caption
    assert not empty
    starts = [match.end() for match in re.finditer("  (?=[^ ])", head)]
    assert [line.split("  ")[0] for line in lines] == [framework.name for framework in FRAMEWORKS.values()]
    for line in lines:
        assert all(line[at] != " " and line[at - 1] == " " for at in starts)


def test_the_table_tells_a_screen_reader_which_cell_belongs_to_what():
    rich = FrameworkTable()._repr_html_()
    assert rich.count('<th scope="col">') == 9
    assert rich.count('<th scope="row">') == len(FRAMEWORKS)
    assert rich.count("</td>") == 8 * len(FRAMEWORKS)
    assert rich.startswith("<table><caption")
    assert re.sub("<[^>]*>", "", rich).count("n-1") == 2 + 1  # two rows and the caption


def test_a_few_rows_on_request():
    assert [row.framework for row in FrameworkTable("keras", "pytorch").rows] == ["Keras 3", "PyTorch"]


def test_an_unknown_framework_is_named():
    with pytest.raises(ValueError, match="name must be one of 'pytorch', .*got 'torch'"):
        FrameworkTable("torch")


def test_running_a_row_leaves_no_trace_in_the_batch():
    assert run_framework("keras") == run_framework("keras")
    assert np.isclose(run_framework("keras").eps, 1e-3, rtol=1e-9)
