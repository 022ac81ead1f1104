import sys
import types

import pytest
import run
from side_by_side import HEADER, Ratio, ratio


def made(*values, target=2.0, at_least=True):
    return Ratio("a / b", values, target, at_least)


@pytest.mark.parametrize(
    ("result", "met", "by_far"),
    [
        (made(1.9, 2.1, 9.0), True, False),
        (made(1.9, 1.9, 9.0), False, False),
        (made(1.3, 1.3, 9.0), False, True),
        (made(0.1, 2.0, 2.0, at_least=False), True, False),
        (made(0.1, 2.9, 2.9, at_least=False), False, False),
        (made(0.1, 3.1, 3.1, at_least=False), False, True),
    ],
)
def test_a_ratio_knows_whether_it_meets_its_target(result, met, by_far):
    assert (result.met, result.missed_by_far) == (met, by_far)
    assert result.row().endswith("| yes |" if met else "| no |")


def test_a_row_fits_the_header():
    row = made(1.0, 2.0, 4.0).row()
    assert row == "| a / b | 2.00 | 1.00 to 4.00 | ≥ 2 | yes |"
    assert row.count("|") == HEADER.splitlines()[0].count("|")


def test_the_two_sides_take_turns_after_a_warm_up():
    calls, ticks = [], iter([0, 6, 10, 12] * 3)
    found = ratio(
        "a / b",
        lambda: calls.append("a"),
        lambda: calls.append("b"),
        3,
        at_least=True,
        repetitions=3,
        clock=lambda: next(ticks),
    )
    assert calls == ["a", "b"] * 4
    assert found.values == (3.0, 3.0, 3.0)


def runner(monkeypatch, *results):
    monkeypatch.setitem(sys.modules, "made_up", types.SimpleNamespace(measure=lambda: list(results)))
    monkeypatch.setattr(run, "machine", lambda: "A machine.")
    return run


def test_the_table_is_printed_and_written(monkeypatch, tmp_path, capsys):
    good = made(3.0)
    assert runner(monkeypatch, good).main(["made_up"], tmp_path / "table.md") == 0
    written = (tmp_path / "table.md").read_text(encoding="utf-8")
    for line in ("A machine.", HEADER, good.row()):
        assert line in written
        assert line in capsys.readouterr().out or line in written


def test_a_target_missed_by_far_is_an_error_and_named(monkeypatch, tmp_path, capsys):
    assert runner(monkeypatch, made(3.0), made(0.5)).main(["made_up"], tmp_path / "table.md") == 1
    assert "Missed by far: a / b" in capsys.readouterr().err
    assert "| 0.50 |" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_every_benchmark_that_is_run_can_measure():
    for name in run.MODULES:
        pytest.importorskip("torch") if name in ("training_step", "torch_recorder") else None
        assert callable(__import__(name).measure)


def test_what_needs_a_gpu_says_so():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    import torch_recorder_cuda

    with pytest.raises(SystemExit, match="there is no CUDA device here"):
        torch_recorder_cuda.main()
