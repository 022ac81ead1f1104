"""`checkup`: broken runs are named, healthy ones are not, costs are those of the user's metric, and nothing changes."""

import ast
import copy
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import bn_teach.torch_recorder
from bn_teach import CASES
from bn_teach.torch_recorder import LayerHistory, TorchRecording, checkup, exact_statistics, record_torch, write_back
from bn_teach.torch_recorder.diagnosis import Finding, in_order
from bn_teach.torch_recorder.evidence import Heard, Score, is_sure
from bn_teach.torch_recorder.from_recording import alternation

torch = pytest.importorskip("torch")
import broken_runs as runs  # noqa: E402

nn = torch.nn
FOLDER = Path(bn_teach.torch_recorder.__file__).parent


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices gain nothing by more, and many processes at once lose."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# What is broken is named. `python benchmarks/broken_runs.py` does it with eight seeds: docs/checkup.md has the table.


@pytest.mark.parametrize("name", runs.BROKEN)
def test_a_broken_run_is_diagnosed_by_its_name(name):
    run, case = runs.BROKEN[name]
    assert case in runs.names(runs.examined(run, seed=0))


@pytest.mark.parametrize("name", runs.HEALTHY)
def test_nothing_is_wrong_with_a_healthy_run(name):
    diagnosis = runs.examined(runs.HEALTHY[name], seed=0)
    assert diagnosis.findings == ()
    assert diagnosis.verdict == "Nothing is wrong with the statistics."
    assert "the same weights under" in diagnosis.tried[0]


@pytest.fixture(scope="module")
def ported():
    """A run whose momentum keeps 0.01, with its diagnosis."""
    model, batches, validate, recorded = runs.ported(0)
    return model, batches, validate, recorded, checkup(model, batches, validate, recorded=recorded, progress=False)


# What it costs


def validated(model, statistics):
    model = copy.deepcopy(model)
    write_back(model, statistics)
    return runs.right(model)


def test_scores_are_those_of_the_same_weights_with_the_statistics_written_back(ported):
    model, batches, validate, _, diagnosis = ported
    exact = exact_statistics(model, batches)
    assert diagnosis.scores["its own"][0] == validate(model).double().mean().item()
    assert diagnosis.scores["exact, from training batches"][0] == validated(model, exact).double().mean().item()
    for name, (_, alone, but) in diagnosis.layers.items():
        others = {other: both for other, both in exact.items() if other != name}
        assert alone == validated(model, {name: exact[name]}).double().mean().item()
        assert but == validated(model, others).double().mean().item()


def test_exact_statistics_are_those_of_exact_statistics_and_ready_to_write_back(ported):
    model, batches, _, _, diagnosis = ported
    for name, both in exact_statistics(model, batches).items():
        np.testing.assert_array_equal(diagnosis.exact[name], both)
    assert diagnosis.worth_writing
    assert "write_back(model, diagnosis.exact)" in str(diagnosis)


def test_a_batch_of_its_own_is_normalised_as_in_training_and_a_single_one_by_the_averages(ported):
    model, _, _, _, diagnosis = ported
    _, (x, y) = runs.digits()
    by_batch = copy.deepcopy(model).train()
    with torch.no_grad():
        found = torch.cat([by_batch(part).argmax(dim=1) for part in x[:448].split(64)])
        last = model.eval()(x[448:]).argmax(dim=1)  # 449 images: the last batch is a single one
    expected = (torch.cat([found, last]) == y).double().mean().item()
    assert diagnosis.scores["each validation batch's own"][0] == pytest.approx(expected)


def test_a_cost_is_what_mending_brings_with_the_standard_error_over_the_examples(ported):
    model, batches, validate, recorded, diagnosis = ported
    noise = diagnosis.findings[0]
    gains = validated(model, exact_statistics(model, batches)).float() - validate(model).float()
    assert noise.cost == pytest.approx(gains.mean().item())
    assert noise.chance == pytest.approx(gains.std().item() / len(gains) ** 0.5)
    assert noise.sure
    assert f"{noise.cost:.3g}" in str(diagnosis)
    best = float(re.search(r"keeping ([\d.]+)", noise.seen)[1])
    brought = validated(model, recorded.statistics(best)).double().mean().item()
    assert noise.seen.endswith(f"the score would be {brought:.4g}")


def test_a_share_has_the_chance_of_a_share():
    gain, chance = Score(0.9, examples=398).above(Score(0.8, examples=398))
    p, q = (0.9 * 398 + 1) / 400, (0.8 * 398 + 1) / 400
    assert (gain, chance) == pytest.approx((0.1, ((p * (1 - p) + q * (1 - q)) / 398) ** 0.5))


def test_of_a_metric_that_is_neither_no_chance_is_known():
    assert Score(-0.3, examples=100).above(Score(-0.5, examples=100)) == (pytest.approx(0.2), None)


@pytest.mark.parametrize(
    ("gain", "chance", "sure"), [(0.029, 0.01, False), (0.031, 0.01, True), (0.004, None, False), (0.006, None, True)]
)
def test_three_standard_errors_or_a_hundredth_of_the_score_are_more_than_chance(gain, chance, sure):
    assert is_sure(gain, chance, of=0.5) == sure


def test_the_examples_of_a_number_are_counted():
    model, batches, validate, _ = runs.healthy_dropout(0)
    assert isinstance(validate(model), float)
    assert checkup(model, batches, validate, progress=False).examples == 449


def test_what_costs_most_comes_first_then_what_cannot_be_measured_then_chance():
    def finding(name, **cost):
        return Finding(name, "", "", "", "", **cost)

    chance, unknown = finding("chance", cost=0.5, chance=0.4), finding("unknown")
    little, much = finding("little", cost=0.1, sure=True), finding("much", cost=0.2, sure=True)
    assert [f.name for f in in_order([chance, little, unknown, much])] == ["much", "little", "unknown", "chance"]


# Nothing changes


def state(model):
    buffers = {name: (buffer, buffer.clone()) for name, buffer in model.named_buffers()}
    modes = [module.training for module in model.modules()]
    hooks = [len(module._forward_pre_hooks) for module in model.modules()]
    numpys = np.random.get_state()[1].tolist()  # noqa: NPY002
    chance = torch.get_rng_state().tolist(), random.getstate(), numpys
    return buffers, modes, hooks, [m.eps for m in model.modules() if hasattr(m, "eps")], chance


def same(before, after):
    for name, (buffer, values) in before[0].items():
        assert after[0][name][0] is buffer, name
        assert torch.equal(buffer, values), name
    assert before[1:] == after[1:]


def restless(model):
    """Validate, and draw from every source of chance; in training mode, so that buffers move too."""
    random.random()
    np.random.random()  # noqa: NPY002
    torch.rand(1)
    right = runs.right(model)
    model.train()
    model(torch.rand(8, 64))
    return right


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ZeroDivisionError, Stopped])
@pytest.mark.parametrize("at", [1, 2, 4, 7])
def test_model_buffers_modes_and_chance_are_as_before_whatever_happens_in_validate(error, at):
    model, recorded = runs.trained(0, steps=30, momentum=0.01)
    model[1].eval()  # somebody's choice
    calls = []

    def validate(model):
        calls.append(1)
        right = restless(model)
        if error and len(calls) == at:
            raise error
        return right

    before, functional = state(model), nn.functional.batch_norm
    if error and (at == 1 or not issubclass(error, Exception)):
        with pytest.raises(error):
            checkup(model, runs.batches(0), validate, recorded=recorded, progress=False)
    else:
        diagnosis = checkup(model, runs.batches(0), validate, recorded=recorded, progress=False)
        assert bool(error) == any("ZeroDivisionError" in words for words in diagnosis.silent)
    same(before, state(model))
    assert nn.functional.batch_norm is functional


def test_every_validation_meets_the_same_chance():
    model, _ = runs.trained(0, steps=30)
    draws = []

    def validate(model):
        draws.append((random.random(), np.random.random(), torch.rand(1).item()))  # noqa: NPY002
        return runs.right(model)

    checkup(model, runs.batches(0), validate, progress=False)
    assert len(draws) > 3
    assert len(set(draws)) == 1


def test_who_records_the_model_sees_nothing_of_it():
    model = runs.network()
    with record_torch(model) as recorded:
        runs.fit(model, 0, steps=20)
        checkup(model, runs.batches(0), runs.right, recorded=recorded, progress=False)
        runs.fit(model, 1, steps=20)
    assert recorded.check() == {}
    assert [len(history) for history in recorded.history.values()] == [40, 40]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_same_is_found_and_its_chance_is_as_before():
    model, batches, validate, recorded = runs.ported(0)
    here = runs.names(checkup(model, batches, validate, recorded=recorded, progress=False))
    model.cuda()
    before = torch.cuda.get_rng_state()

    def on_gpu(model):
        torch.rand(1, device="cuda")
        _, (x, y) = runs.digits()
        return runs.right(model, x.cuda(), y.cuda())

    diagnosis = checkup(model, batches, on_gpu, recorded=recorded, progress=False)
    assert runs.names(diagnosis) == here
    assert torch.equal(torch.cuda.get_rng_state(), before)
    assert next(model.buffers()).is_cuda


# Models and loops of other kinds


class Keyed(nn.Module):
    """Takes a dictionary, and gives one."""

    def __init__(self):
        super().__init__()
        self.inside = runs.network()

    def forward(self, batch):
        return {"scores": self.inside(batch["x"])}


def test_a_forward_of_the_users_own():
    model = Keyed()
    runs.fit(model.inside, 0, steps=40)
    batches = ({"picture": x} for x in runs.batches(0))
    diagnosis = checkup(model, batches, forward=lambda model, batch: model({"x": batch["picture"]}), progress=False)
    assert set(diagnosis.exact) == {"inside.1", "inside.4"}


def test_a_generator_is_enough_for_several_passes():
    torch.manual_seed(0)
    model, _ = runs.trained(0, model=runs.network(before=(nn.Dropout(0.5),)))
    diagnosis = checkup(model, (x for x in runs.batches(0)), runs.right, progress=False)
    assert "dropout-before" in runs.names(diagnosis)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Linear(64, 10), nn.LayerNorm(10)), "LayerNorm (keeps no running statistics)"),
        (
            nn.Sequential(nn.InstanceNorm1d(4, track_running_stats=True)),
            "InstanceNorm1d (has running statistics of its own kind)",
        ),
        (nn.Linear(64, 10), "Linear has no batch norm layer that can be seen"),
        (nn.Sequential(nn.Linear(64, 4), nn.LazyBatchNorm1d()), "Sequential has no batch norm layer"),
        (runs.network().to("meta"), "Cannot copy out of meta tensor"),
    ],
)
def test_of_a_model_that_cannot_be_examined_it_says_so(model, words):
    diagnosis = checkup(model, runs.batches(0), runs.right, progress=False)
    assert diagnosis.findings == ()
    assert diagnosis.verdict == "Nothing could be examined."
    assert words in str(diagnosis).replace("\n", " ")


def test_training_batches_that_do_not_fit_are_said_and_the_rest_is_examined():
    model, _ = runs.trained(0, momentum=0.99, record=False)
    diagnosis = checkup(model, ["no tensor"], runs.right, progress=False)
    assert any("training batches: " in words for words in diagnosis.silent)
    assert runs.names(diagnosis) == ["ported"]


def test_what_cannot_do_without_buffers_is_said():
    model, _ = runs.trained(0, record=False)

    def validate(model):
        assert model[1].running_mean is not None
        return runs.right(model)

    model.register_forward_hook(lambda model, *_: print(model[1].running_mean.sum(), end=""))
    diagnosis = checkup(model, runs.batches(0), validate, progress=False)
    assert any("each validation batch's own: AttributeError" in words for words in diagnosis.silent)
    assert "each validation batch's own" not in diagnosis.scores


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, "model or recorded must be given"),
        ({"model": 3}, TypeError, "model must be a torch.nn.Module, got 3"),
        ({"model": nn.Linear(1, 1), "validate": 3}, TypeError, "validate must be a function, got 3"),
        ({"model": nn.Linear(1, 1), "forward": 3}, TypeError, "forward must be a function, got 3"),
        ({"model": nn.Linear(1, 1), "recorded": 3}, TypeError, "recorded must be a TorchRecording, got 3"),
        ({"model": nn.Linear(1, 1), "progress": "yes"}, TypeError, "progress must be True or False, got 'yes'"),
        ({"model": runs.network(), "validate": lambda _: "good"}, TypeError, "validate.model. must return a number"),
    ],
)
def test_arguments_that_are_nothing_of_the_kind(arguments, error, message):
    with pytest.raises(error, match=message):
        checkup(**({"progress": False} | arguments))


def test_it_says_before_how_many_passes_there_will_be(capsys):
    model, _ = runs.trained(0, steps=20)
    calls, said = [], []

    def validate(model):
        said.append(capsys.readouterr().err)
        calls.append(1)
        return runs.right(model)

    checkup(model, runs.batches(0), validate)
    assert said[0].startswith("checkup: 1 or 2 passes over the training batches, and validate called 3 to 26 times; ")
    assert 3 <= len(calls) <= 26


def test_progress_may_be_a_function():
    model, _ = runs.trained(0, steps=20)
    told = []
    checkup(model, runs.batches(0), runs.right, progress=lambda done, most: told.append((done, most)))
    assert told == [(done, 26) for done in range(1, len(told) + 1)]


# The model alone


def test_one_layer_in_training_mode_inside_a_model_that_says_it_is_not():
    model, _ = runs.trained(0, record=False)
    model.eval()[4].train()
    (finding,) = checkup(model, progress=False).findings
    assert (finding.name, finding.case, finding.layers) == ("mixed modes", "by-folder", ("4",))


def test_half_precision_buffers():
    model, _ = runs.trained(0, record=False)
    model[1].bfloat16()
    (finding,) = checkup(model, progress=False).findings
    assert finding.layers == ("1",)
    assert "to one part in 128" in finding.seen


def test_buffers_of_another_age_than_their_counter():
    model, _ = runs.trained(0, record=False, momentum=0.01, steps=60)
    for layer in (model[1], model[4]):
        layer.num_batches_tracked.fill_(5000)
    found = checkup(model, runs.batches(0), progress=False).findings
    assert [finding.name for finding in found] == ["another age"]
    assert "of the start in its buffers, and 0 % by its counter (5000 batches)" in found[0].seen


@pytest.mark.parametrize("counted", [0, 5])
def test_converted_weights_have_no_counter_and_nothing_is_wrong_with_them(counted):
    model, batches, validate, _ = runs.healthy(0)
    for layer in (model[1], model[4]):
        layer.num_batches_tracked.fill_(counted)
    assert checkup(model, batches, validate, progress=False).findings == ()


# The recording


def recording(means, variances=None, sizes=16, **options):
    means = np.asarray(means, dtype=float)[:, None] * np.ones(3)
    variances = np.ones_like(means) if variances is None else variances
    return TorchRecording({"norm": LayerHistory(means, variances, np.full(len(means), sizes), **options)})


def test_without_pytorch_a_recording_is_examined():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from bn_teach.torch_recorder import checkup, load_example\n"
        "diagnosis = checkup(recorded=load_example().recorded)\n"
        "print(diagnosis)\n"
        "print([(finding.case, finding.cost) for finding in diagnosis.findings])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "keeping 0.9 they would be off by 0.067" in out.replace("\n          ", " ")
    assert out.endswith("[('ported', None)]\n")


def test_a_layer_that_was_never_updated_and_one_that_was_written_to():
    empty = LayerHistory(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, int))
    rows = LayerHistory(np.ones((9, 3)), np.ones((9, 3)), np.full(9, 4), parted=(4, "it was reset"))
    found = checkup(recorded=TorchRecording({"a": empty, "b": rows})).findings
    assert [(finding.case, finding.layers) for finding in found] == [("frozen-backbone", ("a",)), ("restored", ("b",))]
    assert "after update 4 of 9" in found[1].seen


def test_rows_of_period_two():
    rng = np.random.default_rng(0)
    noise, drift = rng.normal(size=400), np.linspace(0, 30, 400)
    turns = np.where(np.arange(400) % 2, 2.0, -2.0)
    assert alternation(recording(drift + noise).history["norm"]) < 0.05
    # The part that alternates is doubled by taking away the mean of the neighbours, noise grows by a half.
    expected = (2 * 2.0) ** 2 / ((2 * 2.0) ** 2 + 1.5)
    assert alternation(recording(drift + noise + turns).history["norm"]) == pytest.approx(expected, rel=0.05)
    assert [f.case for f in checkup(recorded=recording(noise + turns)).findings] == ["two-crowds"]


def test_equal_rows_and_the_momentum_that_they_come_to():
    rows = np.repeat(np.random.default_rng(0).normal(size=100), 2)
    (finding,) = checkup(recorded=recording(rows)).findings
    assert finding.case == "counted-twice"
    assert "100 of the 200 updates of layer 'norm'" in finding.seen
    assert "keeps 0.81 of the old estimate, where 0.9 is set" in finding.seen
    assert "m.momentum = 0.0513" in finding.mend  # 1 - sqrt(0.9)


def test_sizes_that_vary():
    means = np.random.default_rng(0).normal(size=90)
    sizes = np.where(np.arange(90) % 9 == 8, 1, 128)
    (finding,) = checkup(recorded=recording(means, sizes=sizes)).findings
    assert finding.case == "epoch-end"
    assert "10 of 90 batches" in finding.seen
    assert checkup(recorded=recording(means, sizes=np.where(sizes == 1, 100, 128))).findings == ()


def test_a_start_that_is_left_without_exact_statistics():
    means = np.random.default_rng(0).normal(size=30)
    (finding,) = checkup(recorded=recording(means, momentum=0.99)).findings
    assert finding.case == "first-epoch"
    assert "the start weighs 74 %" in finding.seen  # 0.99 ** 30


def test_nothing_wrong_with_a_recording():
    diagnosis = checkup(recorded=recording(np.random.default_rng(0).normal(size=200)))
    assert diagnosis.findings == ()
    assert diagnosis.verdict == "Nothing wrong was found, as far as anything could be looked at."


# The data


def heard(x):
    """A layer of one channel that heard batches of single values, (batches, examples)."""
    x = np.asarray(x, dtype=float)
    means, variances = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    count = np.full(len(x), x.shape[1])
    return Heard(means, variances, count, count, variances, False, 0.0)


def test_sortedness_is_the_ratio_of_an_analysis_of_variance():
    x = np.random.default_rng(0).normal(size=(50, 16))
    ratio, sure = heard(x).sortedness
    among, within = 16 * x.mean(axis=1).var(ddof=1), x.var(axis=1, ddof=1).mean()
    assert ratio == pytest.approx(among / within)
    assert ratio < sure
    ratio, sure = heard(np.sort(x.ravel()).reshape(50, 16)).sortedness
    assert ratio > sure


def test_a_layer_that_is_called_twice_a_batch_makes_no_sorted_batches():
    norm = nn.BatchNorm1d(64)
    model = nn.Sequential(norm, nn.ReLU(), norm, nn.Linear(64, 10))
    diagnosis = checkup(model, runs.batches(0), progress=False)
    assert runs.names(diagnosis) == ["averaged-weights"]  # it was never updated
    assert set(diagnosis.exact) == {"0"}


def test_images_of_one_kind_in_their_places_are_no_sorted_batches():
    """Positions of an image go together; it is examples that are held against each other."""
    model, batches, validate, _ = runs.healthy_convolutions(1)
    assert "tidy-pass" not in runs.names(checkup(model, batches, validate, progress=False))


# What is shown


class Tags(HTMLParser):
    """Fails where tags are not closed in their order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_notebook_gets_tables_and_a_figure_that_a_screen_reader_can_read(ported):
    *_, diagnosis = ported
    shown = diagnosis._repr_mimebundle_()
    assert shown["text/plain"] == str(diagnosis) == repr(diagnosis)
    tags = Tags()
    tags.feed(shown["text/html"])
    assert tags.open == []
    (figure,) = [attributes for tag, attributes in tags.seen if tag == "svg"]
    assert figure["role"] == "img"
    assert all(f"{name}: {value:.4g}" in figure["aria-label"] for name, (value, _) in diagnosis.scores.items())
    assert sum(tag == "circle" for tag, _ in tags.seen) == len(diagnosis.scores)
    assert all(attributes["scope"] in ("row", "col") for tag, attributes in tags.seen if tag == "th")
    assert "case" not in diagnosis.findings[0].case
    assert f'case "{diagnosis.findings[0].case}" of notebook 05' in str(diagnosis)


def test_names_of_layers_are_no_html():
    recorded = TorchRecording({"<b>": LayerHistory(np.ones((9, 1)), np.ones((9, 1)), [4] * 9, momentum=0.01)})
    shown = checkup(recorded=recorded)._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown


def test_the_table_of_what_it_finds_has_every_run():
    rows = re.findall(r"^\| (.*?) \| (\d?) \|", runs.DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [name for name, _ in rows] == [*runs.BROKEN, *runs.HEALTHY]
    assert sum(int(named) for _, named in rows if named) >= 0.95 * len(runs.BROKEN) * len(runs.SEEDS)


def test_findings_and_the_clinic_point_to_the_same_cases():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("from_*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    quoted = {node.value for node in nodes if isinstance(node, ast.Constant)}
    findings = [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding"]
    pointed = {part.value for node in findings for part in ast.walk(node.args[1]) if isinstance(part, ast.Constant)}
    assert findings
    assert pointed <= {"", *CASES}
    no_fault_of_inference, not_in_pytorch = {"restless-loss", "two-modes"}, {"missing-variance"}
    assert set(CASES) - quoted == no_fault_of_inference | not_in_pytorch
