"""What the picture of `TwoModesExplorer` shows, in words."""

from bn_teach.lessons.shared.choices import percent


def two_modes_numbers(both, *, draw):
    """Compute what `two_modes_sentence` says.

    Parameters
    ----------
    both : BothModes
    draw : int
        Which of the mini-batches, from 0.

    Returns
    -------
    dict
        ``label``; the probability of it: ``inference``, ``now`` (this draw), ``lowest`` and ``highest``
        of all draws; ``read_as`` in this draw; ``draws`` and in how many of them it is ``misread``.
    """
    of_label = both.training[:, both.label]
    return {
        "label": both.label,
        "inference": float(both.inference[both.label]),
        "now": float(of_label[draw]),
        "read_as": int(both.training[draw].argmax()),
        "lowest": float(of_label.min()),
        "highest": float(of_label.max()),
        "draws": len(of_label),
        "misread": int((both.training.argmax(axis=1) != both.label).sum()),
    }


def two_modes_sentence(both, *, draw):
    """Say what `figures.two_modes_figure` shows: what stands still and what wobbles.

    Parameters
    ----------
    both, draw
        As in `two_modes_numbers`.

    Returns
    -------
    str
    """
    numbers = two_modes_numbers(both, draw=draw)
    label = numbers["label"]
    beginning = f"Image {both.image} is a {label}."
    alone = f"Inference mode gives that {percent(numbers['inference'])}, whatever stands beside it."
    if both.batch_size == 1:
        return (
            f"{beginning} {alone} Training mode, in a batch of one: the image is its own mean, the difference from it "
            "is zero, and every image gets the same probabilities. Those of this digit: "
            f"{percent(numbers['now'])}. (PyTorch refuses such a batch.)"
        )
    reading = "" if numbers["read_as"] == label else f", and it is taken for a {numbers['read_as']}"
    neighbours = both.batch_size - 1
    company = f"{'this neighbour' if neighbours == 1 else f'these {neighbours} neighbours'}"
    return (
        f"{beginning} {alone} Training mode, with {company}, gives it {percent(numbers['now'])}{reading}. Over "
        f"{numbers['draws']} draws of neighbours that goes from {percent(numbers['lowest'])} to "
        f"{percent(numbers['highest'])}; in {numbers['misread']} of them the image is taken for another digit."
    )
