"""Views that are opened after the figure was changed: in another cell, another tab, and after a reload."""

import pytest
from hands import explorers_of

BUILT = """from bn_teach import RunningStatisticsExplorer

explorer = RunningStatisticsExplorer()"""
CHANGED = """explorer.controls["momentum"].value = 0.99
explorer"""


@pytest.fixture(scope="module")
def notebook(shared_lab):
    return shared_lab.run(BUILT, CHANGED, "explorer")


def filled(notebook, number):
    """How many traces of a plot hold something."""
    return sum(len(trace["x"]) == len(trace["y"]) > 0 for trace in notebook.traces(number))


def both_show_what_python_computes(notebook, after):
    hands = explorers_of(notebook)
    assert [one.name for one in hands] == ["RunningStatisticsExplorer"] * 2
    for one in hands:
        notebook.show(one.number)
        one.look(after)
        assert filled(notebook, one.number) == len(notebook.traces(one.number)) > 0
    return hands


def test_two_cells_show_one_explorer(notebook):
    # plotly 7.1 forgets there what an update holds of one trace and not of another: `fill` sees to it.
    both_show_what_python_computes(notebook, "Run All")


def test_a_second_tab(notebook):
    other = notebook.lab.second_tab(notebook)
    hands = both_show_what_python_computes(other, "a second tab")
    hands[0].slider("momentum").press("Home")
    hands[0].look("Home in the second tab")
    other.page.close()
    both_show_what_python_computes(notebook, "a move in the second tab")


def test_a_reload(notebook):
    notebook.save_and_reload()
    hands = both_show_what_python_computes(notebook, "a reload")
    hands[1].slider("momentum").press("End")
    both_show_what_python_computes(notebook, "a move after the reload")
