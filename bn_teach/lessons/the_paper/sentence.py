"""What stands below Figure 1: what the two sides were trained with, and whose inputs are shown."""


def paper_sentence(without, with_norm):
    """Say what the picture cannot: learning rates and units. No steps, for those are to be predicted.

    Parameters
    ----------
    without, with_norm : Side
        From `bn_teach.lessons.the_paper.experiment.run_figure`.

    Returns
    -------
    str
    """
    config = with_norm.recording.config
    return (
        f"Initial weights of standard deviation {config.weight_scale:g}, seed {config.seed}, on both sides the same. "
        f"Without batch norm: learning rate {without.recording.config.learning_rate:g}, unit {without.unit}. "
        f"With batch norm: learning rate {config.learning_rate:g}, unit {with_norm.unit}."
    )
