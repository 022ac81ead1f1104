"""Notebook 04 as a learner meets it: Run All, then momentum, patience, restoring and the landscape, by keyboard."""


def test_the_race_the_restored_weights_and_the_landscape(lab):
    notebook = lab.open("04_tracking_accuracy.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show()
    notebook.wait_for(lambda: "Landscape, batch size 16" in notebook.status(), what="the network and its row are shown")

    def shown():
        return {trace["meta"]: (trace["x"], trace["y"]) for trace in notebook.traces()}

    before = shown()
    assert notebook.press("momentum", "End") == "0.999 (PyTorch: 0.001)"
    notebook.wait_for(lambda: "with momentum 0.999" in notebook.status(), what="the sentence follows momentum")
    after = shown()
    moved = {name for name in before if before[name] != after[name]}
    assert {"ema", "debiased", "here", "weights kept"} <= moved
    assert not {"cumulative", "algorithm2", "population", "batch"} & moved

    notebook.control("best weights restored").select_option("with the latest statistics")
    notebook.wait_for(lambda: "the newer statistics gain" in notebook.status(), what="the reversal")
    assert shown()["as restored"] != after["as restored"]
    assert shown()["seen when kept"] == after["seen when kept"]

    sentence = notebook.status()
    assert notebook.press("patience (checkpoints)", "End") == "80"
    notebook.wait_for(lambda: notebook.status() != sentence, what="the sentence follows patience")
    assert "the run ends before patience does" in notebook.status()

    notebook.control("landscape: all batch sizes").press("Enter")
    notebook.wait_for(
        lambda: "3 of 8 batch sizes" in notebook.status(), timeout=60, what="the landscape is being filled"
    )
    cells = notebook.page.locator(".heatmap-label").all_text_contents()
    assert sum(text.strip() != "" for text in cells) >= 18
    notebook.control("landscape: all batch sizes").press("Enter")
    notebook.wait_for(lambda: "so far" not in notebook.status(), what="the landscape is off")
    held = notebook.kernel("for trace in explorer.figure.data: print(trace.meta, trace.y[-1], sep='|')")
    drawn = shown()
    for line in held.splitlines():
        name, last = line.split("|")
        assert drawn[name][1][-1] == float(last), f"the page shows what Python holds: {name}"
    assert notebook.errors() == []
