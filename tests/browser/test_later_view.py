"""A view that is opened after its figure was changed."""


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
