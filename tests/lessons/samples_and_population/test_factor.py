"""What m/(m-1) does in each layer: what is shipped can be measured again, and it says what notebook 02 says."""

import json

import factor as tool
import numpy as np
import pytest

from bn_teach.lessons.samples_and_population.factor import SEEDS, SIZES, measure, shipped
from bn_teach.lessons.shared.runs import layer_statistics, run
from bn_teach.running import pooled_statistics, population_statistics


def test_what_is_shipped_can_be_measured_again():
    found, written = measure(16, 3), shipped()[16]
    assert set(found) == set(written)
    for name, value in found.items():
        # Another CPU trains a little differently: in points of accuracy, or as a ratio.
        assert value == pytest.approx(written[name][3], abs=0.05 if name.startswith("layer") else 1.0)


def test_the_tool_writes_what_is_read(tmp_path):
    tool.main(tmp_path / "factor.json", sizes=(64,), seeds=2)
    read = json.loads((tmp_path / "factor.json").read_text())
    assert read["64"]["nowhere"][1] == pytest.approx(measure(64, 1)["nowhere"], abs=1e-4)


def test_every_size_has_every_seed():
    assert set(shipped()) == set(SIZES)
    assert {len(values) for one in shipped().values() for values in one.values()} == {SEEDS}


def test_the_factor_belongs_to_layer_1():
    for m, found in shipped().items():
        without = {name: (m - 1) / m * found[name].mean() for name in ("layer 1", "layer 2")}
        assert found["layer 1"].mean() == pytest.approx(1, abs=0.02)
        assert abs(without["layer 2"] - 1) < abs(found["layer 2"].mean() - 1)
        assert abs(without["layer 1"] - 1) > abs(without["layer 2"] - 1)


def test_at_batch_size_2_the_factor_above_layer_1_costs_accuracy():
    found = shipped()[2]
    gain = found["layer 1 alone"] - found["everywhere"]
    assert gain.mean() > 4 * gain.std(ddof=1) / np.sqrt(SEEDS)
    assert (gain > 0).sum() >= 15
    assert abs((found["layer 1 alone"] - found["nowhere"]).mean()) < 1  # and leaving it out altogether does as well


@pytest.mark.parametrize("m", [4, 16])
def test_between_the_mini_batches_lies_an_mth_in_layer_1_and_next_to_nothing_in_layer_2(m):
    shares = []
    for means, variances in layer_statistics(run(m)):
        _, whole = pooled_statistics(means, variances, m)
        shares.append(np.median(1 - variances.mean(axis=0) / whole))
    assert shares[0] == pytest.approx(1 / m, rel=0.1)
    assert shares[1] < 0.05 / m


def test_layer_statistics_are_those_of_algorithm_2_up_to_the_order():
    recording = run(16)
    for layer, (means, variances) in enumerate(layer_statistics(recording)):
        assert means.shape == variances.shape == (84, 100)
        _, var = population_statistics(means, variances, 16)
        assert np.median(var / recording.algorithm2_var[layer][-1]) == pytest.approx(1, abs=0.02)
