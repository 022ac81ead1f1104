"""What a picture shows, in words: results in, a plain sentence or two out. One file for each picture."""

from bn_teach._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "batch_statistics": ("batch_statistics_numbers", "batch_statistics_sentence"),
        "clinic": ("clinic_reveal", "clinic_score", "clinic_symptom", "clinic_table", "clinic_twist", "clinic_verdict"),
        "common": ("cost", "fill_in", "percent"),
        "controls": ("BATCH_SIZES", "ESTIMATOR_LABELS", "MOMENTA", "PRESETS", "momentum_labels"),
        "momentum": ("MOMENTUM_TEMPLATES", "momentum_numbers", "momentum_sentence", "momentum_words"),
        "paper": ("paper_sentence",),
        "race": ("race_sentence",),
        "recorder": ("recorder_numbers", "recorder_sentence"),
        "running_statistics": ("running_statistics_numbers", "running_statistics_sentence"),
        "seeds": ("seeds_sentence",),
        "two_modes": ("two_modes_numbers", "two_modes_sentence"),
        "valley": ("valley_sentence",),
    },
)
