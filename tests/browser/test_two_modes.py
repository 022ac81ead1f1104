"""Notebook 01 as a learner meets it: Run All, then other neighbours, by keyboard."""


def test_other_neighbours_change_training_mode_alone(lab):
    notebook = lab.open("01_two_modes.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show()
    notebook.wait_for(lambda: notebook.status().startswith("Image 372 is a 2."), what="the trained network is shown")
    notebook.wait_for(lambda: notebook.traces() and len(notebook.traces()[-1]["y"]), what="the picture is drawn")
    before = {trace["meta"]: trace["y"] for trace in notebook.traces()}
    sentence = notebook.status()

    assert notebook.press("draw of neighbours", "ArrowRight") == "2"
    notebook.wait_for(lambda: notebook.status() != sentence, what="the sentence follows the draw")
    after = {trace["meta"]: trace["y"] for trace in notebook.traces()}
    assert after["among these neighbours"] != before["among these neighbours"]
    assert after["in inference mode"] == before["in inference mode"]

    assert notebook.press("batch size at prediction", "Home") == "1"
    notebook.wait_for(lambda: "every image gets the same" in notebook.status(), what="a batch of one")
    alone = {trace["meta"]: trace for trace in notebook.traces()}
    assert alone["in inference mode"]["y"] == before["in inference mode"]
    probabilities = alone["true digit among other neighbours"]["y"]
    assert max(probabilities) - min(probabilities) < 1e-6

    notebook.control("neighbours").select_option("only images of the same digit")
    notebook.press("batch size at prediction", "End")
    notebook.wait_for(lambda: "these 255 neighbours" in notebook.status(), what="a large batch of the same digit")
    held = notebook.kernel("for trace in explorer.figure.data: print(trace.meta, trace.y.tolist()[:1], sep='|')")
    shown = {trace["meta"]: trace["y"][:1] for trace in notebook.traces()}
    assert held.splitlines() == [f"{name}|{[float(y) for y in first]}" for name, first in shown.items()]
    assert notebook.errors() == []
