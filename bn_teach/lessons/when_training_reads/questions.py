"""The questions of notebook 09_when_training_reads."""

from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.when_training_reads.tables import SEEDS, load_reads


def _farthest_off():
    off = {reader: float(load_reads()[f"replay: {reader}"]["points off"].mean()) for reader in _READERS}
    return {"answer": _READERS[max(off, key=off.get)], **off}


_READERS = {
    "frozen": "batch norm frozen after step 100",
    "renorm": "Batch Renormalization after step 100",
    "average": "training normalised by the averages from the first step on",
}


def _small_groups():
    by_judge = load_reads()["groups: 2"]
    gained = by_judge["frozen last steps"] - by_judge["running averages"]
    return {
        "answer": float(by_judge["frozen last steps"].mean()),
        "running": float(by_judge["running averages"].mean()),
        "least": float(gained.min()),
        "most": float(gained.max()),
    }


def _renorm_of_two():
    reads = load_reads()
    return {name: float(reads[f"{layers}: 2"].mean()) for name, layers in _OF_TWO.items()}


_OF_TWO = {"answer": "renorm", "plain": "batch norm", "layer": "layer norm"}


def _frozen_body():
    after = load_reads()["fine-tuning: training mode"]["old, after"]
    return {"answer": float(after.mean()), "least": float(after.min()), "most": float(after.max())}


def _dropout_recomputed():
    found = load_reads()["dropout: 0.8"]
    return {
        "answer": float(found["recomputed"].mean()),
        "before": float(found["running averages"].mean()),
        "off": float(found["recomputed, nothing dropped"].mean()),
    }


_SEEDS = f"on average over {len(SEEDS)} seeds"

QUESTIONS = {
    "farthest-off": Question(
        "Three ways to read, and each time two trainings of 400 steps, with momentum 0.9 and with 0.99. The one with "
        "0.99 is replayed from the recording of the other. Whose replay is farthest from the truth in the end, in "
        f"accuracy, {_SEEDS}? (Batch Renormalization is batch norm that corrects its outputs towards the averages.)",
        _farthest_off,
        "It is off by {average:.1f} percentage points: there the averages enter the first losses already, and nothing "
        "else normalises. Frozen batch norm comes to {frozen:.1f}, Batch Renormalization to {renorm:.1f} points.",
        choices=tuple(_READERS.values()),
    ),
    "groups-of-two": Question(
        "Every step learns from 64 images, which batch norm sees in groups of two. After 200 steps the running "
        f"averages recognise {_small_groups()['running']:.0f} % of the validation images, {_SEEDS}. The same "
        "training again, but in its last 50 steps batch norm is frozen. How many per cent now?",
        _small_groups,
        "The weights had been learnt by pairs, and were judged by averages; in the last 50 steps they learn what "
        "they are judged by. It gained {least:.0f} to {most:.0f} points, seed by seed.",
        unit="%",
    ),
    "renorm-of-two": Question(
        f"Mini-batches of two images, 800 steps. Batch norm recognises {_renorm_of_two()['plain']:.0f} % of the "
        f"validation images, by its running averages, {_SEEDS}. How many does Batch Renormalization recognise?",
        _renorm_of_two,
        "Its outputs are nearly those of the averages (r from 1/3 to 3 and d from -5 to 5 are wide limits); its "
        "gradients are still those of each pair. Layer norm, in its place, keeps no averages at all and recognises "
        "{layer:.0f} %.",
        unit="%",
    ),
    "frozen-body": Question(
        "A network recognises 98 % of the digits. All weights but those of its head, the last layer, are frozen "
        "(requires_grad=False in PyTorch), and a copy of the head learns misty digits for 200 steps, the network in "
        "training mode. Not one weight below the head has moved. The old head is put back. How many per cent of the "
        f"old digits does it recognise, {_SEEDS}?",
        _frozen_body,
        "Between {least:.0f} and {most:.0f}, seed by seed. No weight has moved, but the running averages have: they "
        "are no weights, training mode writes them all the same, and they now hold misty images.",
        unit="%",
    ),
    "dropout-recomputed": Question(
        "A network whose dropout sets 80 % of the values below each batch norm to 0 recognises "
        f"{_dropout_recomputed()['before']:.0f} % of the validation images, {_SEEDS}. Its statistics are now "
        "computed anew, as PyTorch's update_bn does it: the training images once more, in training mode, all "
        "mini-batches weighed alike. How many per cent then?",
        _dropout_recomputed,
        "As before: in training mode dropout is on during that pass as well, so the new statistics are again those of "
        "thinned values. Those of a pass without dropout give {off:.0f} %.",
        unit="%",
    ),
}
