"""The table of notebook 07: what a run of each layer shows is what `FRAMEWORKS` says, and it reads as a table."""

import re
from dataclasses import astuple

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS, kept_fraction
from bn_teach.lessons.your_framework.framework_table import FrameworkTable, run_framework

BATCH_OF_ONE = {
    "error": "refused",
    "beta": "gives 0.5",
    "input": "gives 3",
    "average": "gives -1.7",  # (3 - 9.93) / sqrt(9.9) + 0.5, with 99 % of mean 10 and variance 10 kept
    "nan": "NaN on a GPU (refused here)",
    "nan everywhere": "NaN (refused here)",
}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_run_finds_what_is_written_down(name):
    framework, row = FRAMEWORKS[name], run_framework(name)
    assert (row.framework, row.own_momentum, row.weighs) == (
        framework.name,
        framework.default_momentum,
        framework.momentum_weighs,
    )
    if framework.default_momentum is not None:
        assert row.kept == kept_fraction(name, framework.default_momentum)
    by_its_own = "n-1" if framework.training_var_unbiased else "n"
    assert row.training == (by_its_own if framework.training == "batch" else "average")
    assert row.divisor == ("n-1" if framework.running_var_unbiased else "n")
    assert row.averages == framework.averages
    assert row.eps == framework.eps
    assert row.start_is == ("mean only" if name == "equinox_batch" else framework.start)
    assert row.start_is_given == (framework.initial_mean is None and framework.start == "kept")
    if framework.initial_mean is not None:
        assert row.start == (framework.initial_mean, framework.initial_var)
    assert row.batch_of_one == BATCH_OF_ONE[framework.single_example]


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
    monkeypatch.setattr(BatchNorm, "like", lambda name, features, **more: like(name, features, **change | more))
    assert getattr(run_framework("pytorch"), column) != getattr(usual, column)


@pytest.mark.parametrize(
    ("stranger", "column"),
    [("haiku", "start_is"), ("equinox_batch", "start_is"), ("equinox_ema", "training"), ("makemore", "averages")],
)
def test_another_kind_of_layer_would_show(monkeypatch, stranger, column):
    usual, like = run_framework("keras"), BatchNorm.like
    monkeypatch.setattr(BatchNorm, "like", lambda name, features, **more: like(stranger, features, **more))
    assert getattr(run_framework("keras"), column) != getattr(usual, column)


def test_one_update_by_hand():
    assert run_framework("pytorch").after == (1.0, 2.15)  # 0.9 * 1 + 0.1 * 12.5
    assert run_framework("keras").after == (0.1, 1.09)  # 0.99 * 1 + 0.01 * 10
    assert run_framework("cs231n").after == (1.0, 1.0)  # 0.9 * 0 + 0.1 * 10
    assert run_framework("caffe").after == (10.0, 12.5)  # 0.001 * 12.5 / 0.001
    assert run_framework("equinox_batch").after == (10.0, 109.0)  # (0.99 * 1 + 0.01 * 10) / 0.01
    assert run_framework("makemore").after == (0.01, pytest.approx((0.999 + 0.001 * 12.5**0.5) ** 2, rel=1e-7))


def words(table):
    """The table without its caption: groups of lines, the first the header, every other below a title."""
    caption, (head,), *groups = (block.split("\n") for block in str(table).split("\n\n"))
    assert "run when this table was made" in caption[0]
    return head, groups


def test_every_framework_is_named_once_and_rows_alike_are_one():
    head, groups = words(FrameworkTable())
    starts = [0, *(match.end() for match in re.finditer("  (?=[^ ])", head))]
    lines = [line for _, *rows in groups for line in rows]
    names = [line[: starts[1]].strip() for line in lines]
    assert sorted(", ".join(names).split(", ")) == sorted(", ".join(f.name for f in FRAMEWORKS.values()).split(", "))
    assert {"PyTorch, MLX", "Flax linen, Flax nnx"} <= set(names)
    for line in lines:
        assert all(line[at] != " " and line[at - 1 : at] in ("", " ") for at in starts)


def test_no_group_holds_more_than_a_reader_can_take_in_and_says_what_its_rows_share():
    table = FrameworkTable()
    _, groups = words(table)
    assert max(len(rows) for _, *rows in groups) <= 8
    by_title = {title: " ".join(rows) for title, *rows in groups}
    assert len(by_title) == len(groups) == len({(row.training, row.start_is, row.averages) for row in table.rows})
    (reads,) = [rows for title, rows in by_title.items() if "momentum changes what is learnt" in title]
    assert reads.startswith('Equinox, default (mode="ema")')
    assert [
        rows.split("  ")[0] for title, rows in by_title.items() if "divided by 1 - p^t: the start is gone" in title
    ] == ["Haiku"]


def test_the_table_tells_a_screen_reader_which_cell_belongs_to_what():
    rich = FrameworkTable()._repr_html_()
    _, groups = words(FrameworkTable())
    lines = sum(len(rows) for _, *rows in groups)
    assert rich.count('<th scope="col">') == 9
    assert rich.count('<th scope="rowgroup" colspan="9"') == rich.count("<tbody>") == len(groups)
    assert rich.count('<th scope="row">') == lines
    assert rich.count("</td>") == 8 * lines
    assert rich.startswith("<table><caption")


def test_a_few_rows_on_request():
    assert [row.framework for row in FrameworkTable("keras", "pytorch").rows] == ["Keras 3", "PyTorch"]


def test_an_unknown_framework_is_named():
    with pytest.raises(ValueError, match="name must be one of 'pytorch', .*got 'torch'"):
        FrameworkTable("torch")


def test_running_a_row_leaves_no_trace_in_the_batch():
    assert astuple(run_framework("keras")) == astuple(run_framework("keras"))
    assert np.isclose(run_framework("keras").eps, 1e-3, rtol=1e-9)
