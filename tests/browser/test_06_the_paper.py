"""Notebook 06 as a learner meets it: Run All, Figure 1 is drawn."""


def test_the_figure_is_drawn(lab):
    notebook = lab.open("06_the_paper.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show()
    notebook.wait_for(lambda: notebook.traces(), what="the figure is shown")
    assert notebook.status().startswith("Initial weights of standard deviation 0.1, seed 0")
    shown = {trace["meta"]: trace["y"] for trace in notebook.traces()}
    assert len(shown["accuracy with batch norm"]) == len(shown["50th percentile without batch norm"]) == 100
    held = notebook.kernel("print(*figure.with_norm.accuracy)")
    assert shown["accuracy with batch norm"] == [float(value) for value in held.split()]
