"""Notebook 07 as a learner meets it: Run All without PyTorch, the table, then another estimator."""

RECORDER = 3  # three predictions stand above it


def test_the_estimator_moves_the_lines_and_the_table_is_a_table(lab):
    notebook = lab.open("07_your_framework.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    assert notebook.page.locator(".jp-OutputArea table th[scope=row]").first.text_content() == "PyTorch"

    def drawn():
        return {trace["meta"]: trace["y"] for trace in notebook.traces()}

    notebook.show(RECORDER)
    notebook.wait_for(lambda: notebook.traces() and drawn()["layer norm3"], what="the picture is drawn")
    before = drawn()
    assert "norm3" in notebook.status(RECORDER)
    notebook.control("estimator").select_option("moving average, freed of its start")
    notebook.wait_for(lambda: drawn() != before, what="the lines follow")
    assert all(drawn()[f"layer norm{k}"][-1] < before[f"layer norm{k}"][-1] for k in (1, 2, 3))
    assert notebook.errors() == []
