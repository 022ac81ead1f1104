"""Notebook 03 as a learner meets it: Run All, then every slider of the first explorer by keyboard."""


def test_the_sliders_move_the_picture_and_the_sentence(lab):
    notebook = lab.open("03_running_averages.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show()
    notebook.wait_for(lambda: notebook.status().startswith("Momentum 0.9, batch size 16"), what="the explorer is shown")
    assert notebook.readout("momentum") == "0.9 (PyTorch: 0.1)"
    before = {trace["meta"]: trace["y"] for trace in notebook.traces()}

    notebook.press("momentum", "End")
    notebook.wait_for(lambda: "Momentum 0.999" in notebook.status(), what="the sentence follows momentum")
    assert "45 % of the weight is still on the initial value 0" in notebook.status()
    after = {trace["meta"]: trace["y"] for trace in notebook.traces()}
    moved = {name for name in before if before[name] != after[name]}
    assert {"running mean", "band", "this momentum", "error over steps", "simulated error over steps"} <= moved
    assert not {"batch means", "population mean", "best momentum", "error over momentum"} & moved

    notebook.press("drift of the population per step", "Home")
    notebook.wait_for(lambda: "Nothing moves" in notebook.status(), what="the sentence follows the drift")
    notebook.press("initial value", "End")
    notebook.wait_for(
        lambda: "on the initial value 4" in notebook.status(), what="the sentence follows the initial value"
    )
    notebook.press("batch size", "Home")
    notebook.wait_for(lambda: "batch size 2:" in notebook.status(), what="the sentence follows the batch size")
    shown = {trace["meta"]: trace["y"] for trace in notebook.traces()}
    assert all(shown[name] != after[name] for name in ("batch means", "population mean", "simulated error over steps"))
    held = notebook.kernel("for trace in explorer.figure.data: print(trace.meta, *trace.y[-1:], sep='|')")
    for line in held.splitlines():
        name, *last = line.split("|")
        assert shown[name][-1:] == [float(value) for value in last], f"the page shows what Python holds: {name}"
    assert notebook.errors() == []
