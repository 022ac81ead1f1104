"""Notebook 02 as a learner meets it: Run All, then the batch size by keyboard, and other data."""


def test_batch_size_moves_the_histograms_and_the_sentence(lab):
    notebook = lab.open("02_samples_and_population.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show()
    notebook.wait_for(lambda: notebook.status().startswith("5,000 mini-batches of 16"), what="the sentence")
    notebook.wait_for(lambda: notebook.traces() and len(notebook.traces()[-1]["y"]), what="the picture is drawn")
    before = {trace["meta"]: trace for trace in notebook.traces()}

    assert notebook.press("batch size", "Home") == "2"
    notebook.wait_for(lambda: "(m-1)/m is 0.500" in notebook.status(), what="the sentence follows the batch size")
    after = {trace["meta"]: trace for trace in notebook.traces()}
    assert after["population"]["y"] == before["population"]["y"]
    assert len(after["one batch"]["x"]) == 2
    biased = [shown["mean of the biased variances"]["x"][0] for shown in (before, after)]
    assert abs(biased[0] - 15 / 16) < 0.03
    assert abs(biased[1] - 1 / 2) < 0.05

    notebook.control("data").select_option("one unit of a trained network")
    notebook.wait_for(lambda: "tails (excess kurtosis" in notebook.status(), what="the network is trained")
    unit = {trace["meta"]: trace for trace in notebook.traces()}
    assert unit["population"]["y"] != before["population"]["y"]
    assert notebook.errors() == []


def test_a_view_that_is_opened_later_shows_every_line(lab):
    # plotly 7.1 forgets there what an update holds of one trace and not of another: figures.fill sees to it.
    notebook = lab.run(
        "from bn_teach.explorers import BatchStatisticsExplorer\n\nexplorer = BatchStatisticsExplorer()",
        "explorer.controls['batch_size'].value = 2\nexplorer",
    )
    notebook.show()
    notebook.wait_for(lambda: notebook.traces(), what="the picture is drawn")
    shown = {trace["meta"]: trace for trace in notebook.traces()}
    assert all(len(trace["x"]) == len(trace["y"]) > 0 for trace in shown.values())
    assert shown["population variance"]["x"] == [1, 1]
