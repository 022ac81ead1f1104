"""Runs that several questions look at are trained once."""

import pytest

from bn_teach.lessons.shared import runs


def test_a_run_is_trained_once_however_it_is_asked_for(monkeypatch):
    recording = runs.run(64, 7)
    monkeypatch.setattr(runs, "train", lambda *_: pytest.fail("trained again"))
    assert runs.run(batch_size=64, seed=7) is recording
    assert runs.run(64, seed=7) is recording


def test_two_batch_sizes_of_all_seeds_are_remembered(monkeypatch):
    trained = []
    monkeypatch.setattr(runs, "train", lambda dataset, config: trained.append(config))
    runs.trained.cache_clear()
    for _ in range(2):
        for batch_size in (4, 16):
            for seed in runs.SEEDS:
                runs.run(batch_size, seed)
    runs.trained.cache_clear()  # of what this test put there
    assert len(trained) == 2 * len(runs.SEEDS)
