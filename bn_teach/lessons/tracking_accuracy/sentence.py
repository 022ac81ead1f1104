"""What the picture of `EstimatorRaceExplorer` shows, in words."""

from bn_teach.lessons.shared.choices import cost, percent

NAMES = {
    "ema": "Moving average",
    "debiased": "Moving average freed of its start",
    "cumulative": "Cumulative average",
    "algorithm2": "Exact statistics by Algorithm 2",
    "population": "Exact statistics of one pass",
    "batch": "Each mini-batch's own statistics",
}


def race_sentence(replays, kept, lost, *, patience, chosen, restore, metric, batch_size, momenta, batch_sizes):
    """Say what `figures.race_figure` shows: which weights are kept, what they are worth, where the valley lies.

    Parameters
    ----------
    replays, kept, lost, chosen, restore, metric, batch_size, momenta, batch_sizes
        As in `figures.race_traces`; `batch_sizes` are those that the landscape is meant to show.
    patience : int
        In checkpoints.

    Returns
    -------
    str
    """
    replay, choice = replays[chosen], kept[chosen]
    exact = replays["algorithm2"]
    under_exact = float(exact.validation_accuracy[exact.steps == choice.best_step][0])
    return " ".join(
        [
            f"{NAMES[chosen]}{_momentum(replay)}: {_stopped(replay, choice, patience, metric)}",
            _restored(choice, chosen, restore),
            f"Under exact statistics the same weights have {percent(under_exact)}.",
            _others(kept),
            _valley(lost, batch_size, momenta, batch_sizes),
        ]
    )


def _momentum(replay):
    return f" with momentum {replay.momentum:g}" if replay.estimator in ("ema", "debiased") else ""


def _stopped(replay, choice, patience, metric):
    watched = metric.replace("_", " ")
    checkpoints = replay.steps.tolist()
    waited = checkpoints.index(choice.stop_step) - checkpoints.index(choice.best_step)
    end = f" and stops at step {choice.stop_step}" if waited >= patience else "; the run ends before patience does"
    return f"early stopping on {watched} keeps the weights of step {choice.best_step}{end}."


def _restored(choice, chosen, restore):
    seen, latest = percent(choice.seen), percent(choice.latest)
    if chosen == "batch":
        return f"They have {seen}, and there is no statistic to restore: every mini-batch brings its own."
    if restore == "with":
        return (
            f"Restored with the statistics of that step they have the accuracy that was seen, {seen}; with the latest "
            f"ones it would be {latest}."
        )
    return (
        f"{seen} was seen then. Restored with the latest statistics, of step {choice.stop_step}, they have {latest}: "
        f"the newer statistics {cost(choice.latest - choice.seen)}."
    )


def _others(kept):
    steps = sorted({one.best_step for one in kept.values()})
    if len(steps) == 1:
        return "All six estimators keep the same checkpoint."
    return f"The six estimators keep {len(steps)} different checkpoints, of steps {steps[0]} to {steps[-1]}."


def _valley(lost, batch_size, momenta, batch_sizes):
    diverged = [m for m in batch_sizes if m in lost and lost[m] is None]
    here = lost.get(batch_size)
    parts = []
    if here is not None:
        cheap = [k for k, points in enumerate(here) if points < 1]
        parts.append(f"Landscape, batch size {batch_size}: {_cheap(cheap, momenta)}.")
    if diverged:
        parts.append(f"Training diverged at batch size {', '.join(map(str, diverged))}.")
    known = sum(m in lost for m in batch_sizes)
    if known < len(batch_sizes):
        parts.append(f"({known} of {len(batch_sizes)} batch sizes so far; the others are being trained.)")
    return " ".join(parts)


def _cheap(cheap, momenta):
    """Say under which momenta less than a percentage point is lost."""
    if not cheap:
        return "every momentum loses a percentage point or more"
    if len(cheap) == len(momenta):
        return "no momentum loses as much as a percentage point"
    if cheap == list(range(cheap[0], cheap[-1] + 1)) and len(cheap) > 1:
        return f"momenta from {momenta[cheap[0]]:g} to {momenta[cheap[-1]]:g} lose less than a percentage point"
    return f"less than a percentage point is lost with momentum {', '.join(f'{momenta[k]:g}' for k in cheap)}"
