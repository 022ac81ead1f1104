"""What the page ought to show, computed anew from the state of an explorer. Runs in the notebook's kernel.

Nothing that an explorer remembers or has drawn is used: only `state`, the pure functions, and the data.
"""

import hashlib
import json
from dataclasses import replace
from functools import lru_cache

import numpy as np

import bn_teach
from bn_teach import CASES
from bn_teach.data import EmpiricalPopulation, ExponentialPopulation, GaussianPopulation
from bn_teach.lessons.clinic.explorer import _ANSWERS
from bn_teach.lessons.clinic.picture import picture as clinic_picture
from bn_teach.lessons.running_averages import weights
from bn_teach.lessons.running_averages.experiment import simulate
from bn_teach.lessons.running_averages.picture import picture as running_statistics_picture
from bn_teach.lessons.samples_and_population.experiment import sample_batches
from bn_teach.lessons.samples_and_population.picture import picture as batch_statistics_picture
from bn_teach.lessons.shared.choices import BATCH_SIZES, MOMENTA
from bn_teach.lessons.shared.panels import Picture
from bn_teach.lessons.start_here.experiment import held_out_noise
from bn_teach.lessons.start_here.picture import picture as momentum_picture
from bn_teach.lessons.the_paper.picture import picture as paper_picture
from bn_teach.lessons.tracking_accuracy import valley
from bn_teach.lessons.tracking_accuracy.picture import picture as race_picture
from bn_teach.lessons.two_modes.experiment import predict_both_ways
from bn_teach.lessons.two_modes.explorer import DRAWS
from bn_teach.lessons.two_modes.picture import picture as two_modes_picture
from bn_teach.lessons.when_training_reads.experiment import Setting, compare
from bn_teach.lessons.when_training_reads.picture import picture as training_reads_picture
from bn_teach.lessons.whose_statistics import weights as changed_weights
from bn_teach.lessons.whose_statistics.changed import CONFIGS, change_weights
from bn_teach.lessons.whose_statistics.experiment import bench
from bn_teach.lessons.whose_statistics.picture import NS
from bn_teach.lessons.whose_statistics.picture import picture as whose_statistics_picture
from bn_teach.lessons.your_framework.picture import picture as recorder_picture
from bn_teach.replay import ESTIMATORS, keep_best, replay
from bn_teach.sweep import Sweep
from bn_teach.torch_recorder import report
from bn_teach.training import train


@lru_cache(8)
def recorded(dataset, config):
    return train(dataset, config)


@lru_cache(64)
def replayed(dataset, config, momentum, estimator, unbiased=True):
    return replay(recorded(dataset, config), momentum, estimator=estimator, unbiased=unbiased)


@lru_cache(64)
def lost(dataset, config):
    """A row of the landscape."""
    swept = Sweep.of(recorded(dataset, config), MOMENTA, estimators=("ema", "algorithm2"))
    return 100 * swept.accuracy_lost()[0]


def config_of(explorer):
    state = explorer.state
    return replace(explorer.config, batch_size=state.batch_size, learning_rate=state.learning_rate, seed=state.seed)


def momentum(explorer):
    state, run = explorer.state, recorded(explorer.dataset, config_of(explorer))
    run = held_out_noise(run) if state.noise else run
    chosen = replay(run, state.momentum, estimator=state.estimator, unbiased=state.unbiased)
    exact, own = (replay(run, estimator=name) for name in ("algorithm2", "batch"))
    return momentum_picture(chosen, exact, own, step=state.step, layer=state.layer, unit=state.unit)


def two_modes(explorer):
    state, run = explorer.state, recorded(explorer.dataset, explorer.config)
    both = predict_both_ways(
        run, state.image, batch_size=state.batch_size, company=state.company, draws=DRAWS, seed=state.seed
    )
    return two_modes_picture(both, state.draw - 1)


def batch_statistics(explorer):
    state = explorer.state
    if state.data == "unit":
        run = recorded(explorer.dataset, explorer.config)
        first = run.network_at(len(run.checkpoint_steps) - 1).layers[0]
        values = first(explorer.dataset.train_x.astype(explorer.config.dtype))
        population = EmpiricalPopulation(values[:, state.unit])
    else:
        population = {"gaussian": GaussianPopulation, "skewed": ExponentialPopulation}[state.data]()
    sample = sample_batches(population, state.batch_size, state.batches, state.seed)
    return batch_statistics_picture(sample, state.variances, state.zoom)


def inside(explorer):
    state = explorer.state
    return weights.picture(state.estimator, state.momentum, state.updates)


def running_statistics(explorer):
    state = explorer.state
    return running_statistics_picture(simulate(state.run, MOMENTA, seed=state.seed), state.momentum)


def race(explorer):
    state, config = explorer.state, config_of(explorer)
    data, sizes = explorer.dataset, BATCH_SIZES if state.landscape else (state.batch_size,)
    replays = {name: replayed(data, config, state.momentum, name) for name in ESTIMATORS}
    kept = {name: keep_best(one, state.patience, metric=state.metric) for name, one in replays.items()}
    rows = {m: lost(data, replace(config, batch_size=m)) for m in sizes}
    return race_picture(state, BATCH_SIZES, replays, kept, rows)


def clinic(explorer):
    state, case = explorer.state, CASES[explorer.state.case]
    answered = state.case in _ANSWERS
    shown = case.twist if answered and state.picture == "twist" and case.twist else case
    broken, fixed = (shown.experiment.broken(state.seed), shown.experiment.fixed(state.seed) if answered else None)
    return clinic_picture(shown, broken, fixed, explorer._read(state) if answered else None)


def recorder(explorer):
    state = explorer.state
    told = report(explorer.recorded, momenta=explorer.momenta, estimator=state.estimator, unbiased=state.unbiased)
    return recorder_picture(told)


def paper(explorer):
    return paper_picture(explorer.without, explorer.with_norm)


def whose_statistics(explorer):
    state = explorer.state
    tried = bench(recorded(explorer.dataset, replace(explorer.config, seed=state.seed)))
    setting = {"corruption": state.corruption, "classes": state.classes, "seed": state.seed}
    accuracy = {N: tried.accuracy(N, state.n, **setting) for N in NS}
    seen = tried.mixed(state.N, state.n, **setting)
    return whose_statistics_picture(state, tried, tried.training_values(), seen, accuracy, tried.accuracy(np.inf, 1))


def weights_changed(explorer):
    state = explorer.state
    run = recorded(explorer.dataset, replace(CONFIGS[state.change], seed=state.seed))
    return changed_weights.picture(state, change_weights(run, state.change))


def training_reads(explorer):
    state = explorer.state
    config = replace(explorer.config, batch_size=state.batch_size, seed=state.seed)
    ramp = round(state.ramp * (config.steps - state.start))
    limits = {"start": state.start, "ramp": ramp, "r_max": state.r_max, "d_max": state.d_max}
    setting = Setting(config, state.reader, state.momentum, state.other, **limits)
    return training_reads_picture(compare(explorer.dataset, setting))


def prediction(asked):
    if not asked.commit.disabled:
        return Picture({}, {}, "")
    return Picture({}, {}, asked.question.reveal(asked.question.read(asked.answer.value))[1])


DRAWN = {
    bn_teach.MomentumExplorer: momentum,
    bn_teach.TwoModesExplorer: two_modes,
    bn_teach.BatchStatisticsExplorer: batch_statistics,
    bn_teach.MemoryExplorer: inside,
    bn_teach.RunningStatisticsExplorer: running_statistics,
    bn_teach.EstimatorRaceExplorer: race,
    bn_teach.ClinicExplorer: clinic,
    bn_teach.RecorderExplorer: recorder,
    bn_teach.PaperFigure: paper,
    bn_teach.WhoseStatisticsExplorer: whose_statistics,
    bn_teach.ChangedWeightsExplorer: weights_changed,
    bn_teach.TrainingReadsExplorer: training_reads,
    bn_teach.ValleyFigure: lambda shown: valley.picture(shown.swept, shown.live),
    bn_teach.Prediction: prediction,
}


def fingerprint(values):
    """A short word for an array: how many values, and the same word for the same values only."""
    values = np.array(values, dtype=np.float64).ravel() + 0.0  # no minus zero
    values[np.isnan(values)] = np.nan
    return f"{len(values)}:{hashlib.sha256(values.tobytes()).hexdigest()[:16]}"


def on_display(out):
    """What the notebook shows with `Accessible` around it, from top to bottom. (Clear `Out` before a second run.)"""
    return [shown for _, shown in sorted(out.items()) if type(shown) in DRAWN]


def controls(shown):
    """The widgets that a hand can move, by name."""
    if isinstance(shown, bn_teach.Prediction):
        return {"answer": shown.answer}
    return getattr(shown, "controls", {})


def written(widget):
    """What is to be read beside a control, as text."""
    if hasattr(widget, "index"):  # (`label` of a selection is empty while it stands where it stood first)
        return "None" if widget.index is None else widget._options_labels[widget.index]
    return str(widget.value)


_KNOWN = {}


def expected(shown):
    """Controls, traces and sentence as JSON; the traces as fingerprints, for the server lets only so much through."""
    if hasattr(shown, "wait"):
        shown.wait()
    state = getattr(shown, "state", None)
    name = id(shown), state, len(_ANSWERS) if isinstance(shown, bn_teach.ClinicExplorer) else 0
    if state is None or name not in _KNOWN:
        _KNOWN[name] = DRAWN[type(shown)](shown)
    picture = _KNOWN[name]
    widgets = controls(shown)
    return json.dumps(
        {
            "controls": {w.description: written(w) for w in widgets.values() if type(w).__name__ != "Play"},
            "traces": {key: [fingerprint(values) for values in arrays] for key, arrays in picture.traces.items()},
            "sentence": picture.sentence,
        }
    )


def inventory(out):
    """Name of each explorer and, for each of its controls, name, kind of widget and description, as JSON."""
    return json.dumps(
        [
            (
                type(shown).__name__,
                [(key, type(w).__name__, w.description) for key, w in controls(shown).items()],
            )
            for shown in on_display(out)
        ]
    )
