"""How large the effect of every case is, measured: one number for each seed, before and after the fix.

These are results, not settings: ``tools/effects.py`` measures them and writes ``effects.json``, and the tests measure
some of the seeds again. On another processor a run may come out a little differently, and with mini-batches of 4 or
less very much so; on average they are alike.
"""

import json
from pathlib import Path

from bn_teach.lessons.clinic.case import Effect

PATH = Path(__file__).with_name("effects.json")


def load_effects(path=PATH):
    """Read a file that ``tools/effects.py`` wrote: name to `Effect`."""
    stored = json.loads(Path(path).read_text(encoding="utf-8"))
    return {name: Effect(**{key: tuple(values) for key, values in one.items()}) for name, one in stored.items()}


EFFECTS = load_effects()
"""Name of a case, and of its twist, to `Effect`. A new one is missing until it has been measured."""
