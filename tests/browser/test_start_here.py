"""The first notebook as a learner meets it: Run All, then both sliders by keyboard."""


def test_both_sliders_move_the_picture_and_the_sentence(lab):
    notebook = lab.open("00_start_here.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show()
    notebook.wait_for(lambda: notebook.status().startswith("After 800 steps"), what="the trained network is shown")
    assert notebook.readout("momentum") == "0.9 (PyTorch: 0.1)"
    assert "momentum 0.9 the average is about as steady as one of 19 mini-batches" in notebook.status()
    before = {trace["meta"]: trace["y"] for trace in notebook.traces()}

    notebook.press("momentum", "End")
    notebook.wait_for(lambda: "momentum 0.999" in notebook.status(), what="the sentence follows momentum")
    after = {trace["meta"]: trace["y"] for trace in notebook.traces()}
    assert notebook.readout("momentum") == "0.999 (PyTorch: 0.001)"
    moved = {name for name in before if before[name] != after[name]}
    assert moved == {"running mean", "running variance", "accuracy under running statistics"}

    notebook.press("batch size", "ArrowLeft", "ArrowLeft")
    notebook.wait_for(lambda: "2.4 epochs" in notebook.status(), what="trained again at batch size 4")
    assert notebook.readout("batch size") == "4"
    trained = {trace["meta"]: trace["y"] for trace in notebook.traces()}
    assert all(trained[name] != after[name] for name in after)
    held = notebook.kernel("for trace in explorer.figure.data: print(trace.meta, trace.y[-1], sep='|')")
    for line in held.splitlines():
        name, last = line.split("|")
        assert trained[name][-1] == float(last), f"the page shows what Python holds: {name}"
    assert notebook.errors() == []


def test_a_prediction_is_answered_by_keyboard(lab):
    notebook = lab.open("00_start_here.ipynb")
    notebook.run_all()
    notebook.show(2)
    answer = lab.page.get_by_label("your answer (percentage points)").first
    answer.fill("5")
    answer.press("Tab")
    lab.page.keyboard.press("Enter")
    notebook.wait_for(lambda: "You said 5, the run says" in notebook.status(2), what="the reveal")
    assert notebook.errors() == []
