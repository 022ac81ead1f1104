"""Plant a fault in a scratch copy of the repository, run the tests that should catch it, and see them turn red.

`make faults` plants all of them, one after the other, and prints who caught what. The same tests must be green without
the fault, or they prove nothing. It ends with an error if a fault goes uncaught. Words after it choose faults by name.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = (".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "bn_teach.html")
NBVAL = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300")
SLOWEST = 600  # seconds


@dataclass(frozen=True)
class Fault:
    """In `path`, what `pattern` matches (once) becomes `planted`; `tests` are to notice."""

    name: str
    path: str
    pattern: str
    planted: str
    tests: tuple
    environment: tuple = ()  # (name, value) of environment variables


def exactly(text):
    return re.escape(text)


NOTEBOOK = "notebooks/00_start_here.ipynb"
RUN_NOTEBOOK = (*NBVAL, NOTEBOOK)
EXPLORER = ("tests/lessons/start_here/test_explorer.py", "-k", "minimum or trained_network")
STRUCTURE = ("tests/test_notebooks.py", "-m", "not slow", "-k", "start_here or picture")
IMPORTS = ("tests/test_imports.py", "-k", "only_what_it_may")
LISTED = ("tests/test_environment.py",)
AHEAD = ("tests/lessons/shared/test_ahead.py", "-k", "not kernel")
READING = ("tests/lessons/when_training_reads/test_layers.py",)
RIGHT_OR_NAMED = "tests/torch_recorder/test_right_or_named.py"
BROWSER = ("tests/browser/test_accessible.py", "-k", "name_and_says")

FAULTS = (
    Fault(
        "a callback that fails",
        "bn_teach/lessons/start_here/explorer.py",
        exactly("run.replay(state.momentum, **settings)"),
        "run.replay(state.momenta, **settings)",
        EXPLORER,
    ),
    Fault(
        "an answer that is heard after the click is lost",
        "bn_teach/lessons/shared/commit.py",
        exactly("time.monotonic() - self._pressed < LATE"),
        "False",
        ("tests/lessons/shared/test_commit.py",),
    ),
    Fault(
        "a page that was given up is not heard",
        "bn_teach/lessons/shared/live_figure.js",
        exactly("        ask(model);\n"),
        "",
        ("tests/browser/test_slow_browser.py",),
    ),
    Fault(
        "what is made ahead is made again",
        "bn_teach/lessons/shared/training.py",
        exactly("return _key(momentum, estimator, unbiased) in self._replays"),
        "return False",
        AHEAD,
    ),
    Fault(
        "training ahead goes on beside one that is asked for",
        "bn_teach/lessons/shared/training.py",
        exactly("        elif self._busy():\n            raise Cancelled\n"),
        "",
        AHEAD,
    ),
    Fault(
        "a control that nobody listens to",
        "bn_teach/lessons/shared/explorer.py",
        exactly('control.observe(self._on_change, names="value")'),
        "pass",
        EXPLORER,
    ),
    Fault(
        "a wrong number in a checked output",
        NOTEBOOK,
        exactly("weight of the start after 800 steps of 0.999: 45 %\\n"),
        "weight of the start after 800 steps of 0.999: 46 %\\n",
        RUN_NOTEBOOK,
    ),
    Fault(
        "code that no longer gives the quoted number",
        "bn_teach/theory.py",
        exactly('return _plain(_checks.momentum(momentum) ** _checks.integers("steps", steps, 0))'),
        'return _plain(_checks.momentum(momentum) ** (_checks.integers("steps", steps, 0) + 90))',
        RUN_NOTEBOOK,
    ),
    Fault(
        "a cell that raises an error",
        NOTEBOOK,
        exactly('"Prediction(\\"too-much-memory\\")"'),
        '"Prediction(\\"too-much-memories\\")"',
        RUN_NOTEBOOK,
    ),
    Fault(
        "a notebook with saved widget state",
        NOTEBOOK,
        r'"metadata": \{\n  "kernelspec"',
        '"metadata": {\n  "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},\n  "kernelspec"',
        STRUCTURE,
    ),
    Fault(
        "an output that nothing checks",
        NOTEBOOK,
        r'"tags": \[\n\s*"nbval-check-output"\n\s*\](?=(?:(?!nbval-check-output)[\s\S])*\Z)',
        '"tags": []',
        STRUCTURE,
    ),
    Fault(
        "a notebook without alternative text",
        NOTEBOOK,
        r"!\[Sliders for [^\]]*\]",
        "![]",
        STRUCTURE,
    ),
    Fault(
        "a link to somebody else's Binder",
        NOTEBOOK,
        r"(?<=\]\(https://mybinder\.org/)(?=\))",
        "v2/gh/somebody/else/HEAD",
        ("tests/test_binder.py", "-k", "link"),
    ),
    Fault(
        "a mixture the wrong way round",
        "bn_teach/lessons/whose_statistics/experiment.py",
        exactly("return weight * source + (1 - weight) * batch"),
        "return weight * batch + (1 - weight) * source",
        ("tests/lessons/whose_statistics/test_experiment.py", "-k", "inference_mode or formula"),
    ),
    Fault(
        "statistics of the weights before they were changed",
        "bn_teach/lessons/whose_statistics/changed.py",
        exactly('"recomputed": network.population_statistics(z)'),
        '"recomputed": [(mean[-1], var[-1]) for mean, var in histories]',
        ("tests/lessons/whose_statistics/test_changed.py", "-k", "of_the_changed_weights"),
    ),
    Fault(
        "a replay that is never compared with the buffers",
        "bn_teach/torch_recorder/noting.py",
        exactly("if not self.followed.agrees(mean, var, _rounding(buffers[0])):"),
        "if False:",
        (RIGHT_OR_NAMED, "-k", "cannot_be_replayed"),
    ),
    Fault(
        "a recorder that takes the layer's momentum for the one that was used",
        "bn_teach/torch_recorder/noting.py",
        exactly("1 - float(momentum) if buffers"),
        "1 - float(self.layer.momentum or momentum) if buffers",
        (RIGHT_OR_NAMED, "-k", "subclass"),
    ),
    Fault(
        "an import against the data flow",
        "bn_teach/running.py",
        r"^import numpy as np$",
        "import numpy as np\nfrom bn_teach.theory import drift_lag",
        IMPORTS,
    ),
    Fault(
        "a package that is not listed, in the package",
        "bn_teach/data.py",
        r"^import numpy as np$",
        "import numpy as np\nimport scipy",
        IMPORTS,
    ),
    Fault(
        "a package that is not listed, in a notebook",
        NOTEBOOK,
        exactly('"from bn_teach import MomentumExplorer\\n"'),
        '"import pandas\\n",\n    "from bn_teach import MomentumExplorer\\n"',
        LISTED,
    ),
    Fault(
        "a dependency that is listed no more",
        "pyproject.toml",
        r'^  "nbclient>=.*\n',
        "",
        LISTED,
    ),
    Fault(
        "a pin that pyproject.toml does not allow",
        "environment.yml",
        r"numpy==[\d.]+",
        "numpy==1.26.4",
        LISTED,
    ),
    Fault(
        "a lower bound that was never tried",
        "pyproject.toml",
        r'"plotly>=[\d.]+"',
        '"plotly>=5.0"',
        LISTED,
    ),
    Fault(
        "a Python that Binder does not read",
        "environment.yml",
        r"python=3",
        "python>=3",
        ("tests/test_binder.py", "-k", "builds_the_python"),
    ),
    Fault(
        "a slider without a name",
        "bn_teach/lessons/shared/training.py",
        exactly('number_slider("batch size"'),
        'number_slider(""',
        ("tests/lessons/shared/test_names.py",),
    ),
    Fault(
        "a slider whose name no screen reader gets",
        "bn_teach/lessons/shared/accessible.js",
        exactly('set(handle, "aria-label", name);'),
        "",
        BROWSER,
    ),
    Fault(
        "a script that mixes statistics otherwise than Python",
        "bn_teach/page/mixed.js",
        exactly("N / (N + n))"),
        "N / (N + n + 1))",
        ("tests/browser/test_page_whose.py", "-k", "scores_and_predictions and noise"),
    ),
    Fault(
        "a pen too thin for the digits that the network learnt",
        "bn_teach/lessons/whose_statistics/ink.py",
        "^INK = 312$",
        "INK = 120",
        ("tests/lessons/whose_statistics/test_ink.py",),
    ),
    Fault(
        "a page that asks another host",
        "bn_teach/lessons/shared/accessible.js",
        exactly('set(handle, "aria-label", name);'),
        'set(handle, "aria-label", name); fetch("https://example.org/");',
        BROWSER,
    ),
    Fault(
        "a biased variance for the unbiased one",
        "bn_teach/running.py",
        exactly("(m / (m - 1)).astype(var.dtype) * var"),
        "np.ones_like(m).astype(var.dtype) * var",
        ("tests/core/test_running.py",),
    ),
    Fault(
        "momentum reversed",
        "bn_teach/running.py",
        r"(?<=    )p = np\.reshape\(momentum,",
        "p = 1 - np.reshape(momentum,",
        ("tests/core/test_running.py",),
    ),
    Fault(
        "a checkup that leaves other statistics in the model",
        "bn_teach/torch_recorder/live.py",
        exactly("module._buffers.update(buffers)"),
        "pass",
        ("tests/torch_recorder/test_checkup.py", "-k", "as_before"),
    ),
    Fault(
        "a checkup that takes chance for a cost",
        "bn_teach/torch_recorder/evidence.py",
        exactly("SURE = 3 "),
        "SURE = 0 ",
        ("tests/torch_recorder/test_checkup.py", "-k", "more_than_chance"),
    ),
    Fault(
        "running averages read in training",
        "bn_teach/batchnorm.py",
        exactly("if not self.training:"),
        "if True:",
        ("tests/core/test_batchnorm.py",),
    ),
    Fault(
        "a correction of Batch Renormalization that its gradients forget",
        "bn_teach/lessons/when_training_reads/layers.py",
        exactly("self.r * self.dgamma + self.d * self.dbeta"),
        "self.r * self.dgamma",
        READING,
    ),
    Fault(
        "frozen batch norm that goes on averaging",
        "bn_teach/lessons/when_training_reads/layers.py",
        exactly("if not self.frozen:"),
        "if True:",
        READING,
    ),
    Fault(
        "a data file left out of the wheel",
        "pyproject.toml",
        exactly('"**/*.npz", '),
        "",
        ("tests/test_packaging.py", "-k", "holds"),
    ),
    Fault(
        "no browser where one is required",
        "tests/browser/lab.py",
        exactly('BROWSERS = ("chromium", '),
        'BROWSERS = ("no-such-browser",)[:1] or (',
        BROWSER,
        (("BN_TEACH_REQUIRE_BROWSER", "1"),),
    ),
    Fault(
        "a frozen backbone that writes no averages",
        "bn_teach/lessons/clinic/crowds.py",
        exactly("yield (backbone.train() if writes else backbone.eval())(x[rows]), labels[rows]"),
        "yield backbone.eval()(x[rows]), labels[rows]",
        ("tests/lessons/clinic/test_cases.py", "-k", "frozen-backbone and (symptom or twist_is_there)"),
    ),
    Fault(
        "accumulated gradients that are those of the last few images",
        "bn_teach/lessons/clinic/recipes.py",
        exactly('total[number, name] = total.get((number, name), 0) + getattr(layer, "d" + name)'),
        'total[number, name] = getattr(layer, "d" + name)',
        ("tests/lessons/clinic/test_cases.py", "-k", "accumulated_gradients or accumulation_of_one"),
    ),
)


def copied(folder):
    """Copy the files of the repository to a folder that does not exist yet."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return folder


def plant(fault, root):
    """Plant a fault; return what the file was."""
    path = root / fault.path
    sound = path.read_text(encoding="utf-8")
    planted, count = re.subn(fault.pattern, lambda _: fault.planted, sound, flags=re.MULTILINE)
    if count != 1 or planted == sound:
        raise ValueError(f"{fault.name}: {count} places in {fault.path} instead of one")
    path.write_text(planted, encoding="utf-8")
    return sound


def outcome(root, tests, environment=()):
    """Run tests of a copy; return pytest's code, the first failure and the seconds."""
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", **dict(environment)},
        capture_output=True,
        text=True,
        timeout=SLOWEST,
    )
    failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - |$)", run.stdout, flags=re.MULTILINE)
    return run.returncode, failed and failed[1], time.perf_counter() - start, run.stdout


def caught(fault, root):
    """Plant, test and take away again; return who caught it (None: nobody) and the seconds."""
    sound = plant(fault, root)
    try:
        code, by, seconds, said = outcome(root, fault.tests, fault.environment)
    finally:
        (root / fault.path).write_text(sound, encoding="utf-8")
    if code == 0:
        return None, seconds
    if code != 1:  # pytest: 1 is a test that failed; anything else is no judgement
        raise RuntimeError(f"{fault.name}: pytest ended with code {code}\n{said[-2000:]}")
    return by, seconds


def main(words=()):
    """Plant every fault whose name has one of the words; return 1 if one goes uncaught."""
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    green, uncaught = {}, []
    print("| fault | caught by | seconds |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        root = copied(Path(folder) / "bn_teach")
        for fault in chosen:
            if fault.tests not in green:
                code, by, _, said = outcome(root, fault.tests)
                green[fault.tests] = None if code == 0 and " passed" in said else by or said.strip().splitlines()[-1]
            if green[fault.tests]:
                print(f"| {fault.name} | NOT SHOWN: without it, too: {green[fault.tests]} | |", flush=True)
                uncaught.append(fault.name)
                continue
            by, seconds = caught(fault, root)
            print(f"| {fault.name} | {f'`{by}`' if by else 'NOBODY'} | {seconds:.0f} |", flush=True)
            if by is None:
                uncaught.append(fault.name)
    print(f"\n{len(chosen) - len(uncaught)} of {len(chosen)} caught")
    return 1 if uncaught or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
