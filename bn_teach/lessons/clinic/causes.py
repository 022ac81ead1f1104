"""What can be wrong with a training run: the twelve causes of the clinic, and some that are often blamed instead."""

CAUSES = {
    "validation-never-enters": "validation images never enter the averages",
    "old-weights": "the average counts weights that are long gone",
    "never-read": "training never reads the running averages",
    "reversed": "momentum is counted the other way round here",
    "two-divisors": "one mode divides the variance by m, the other by m - 1",
    "biased": "the averaged variances were divided by m",
    "start": "the average is still mostly its start, mean 0 and variance 1",
    "lag": "the average remembers too long and trails behind",
    "sorted": "each mini-batch holds a single class",
    "alone": "the last mini-batch is a single image",
    "training-mode": "training mode was left on in the evaluation",
    "statistics-left-behind": "the running statistics were not restored",
    # Often blamed.
    "overfitting": "the network overfits",
    "learning-rate": "the learning rate is too high",
    "too-few-images": "the validation set is too small",
    "bug": "a bug in the framework",
    "eps": "eps is added in one of the two modes only",
    "short-memory": "the average forgets too soon: raise momentum",
    "other-images": "the validation images are of another kind",
    "luck": "the best checkpoint was a lucky one",
}
"""Key to what the cause says of itself."""
