"""Record your own PyTorch model while it trains, and replay its running statistics.

::

    with record_torch(model) as recorded:
        ...  # your training loop, as it is
    recorded.exact = exact_statistics(model, batches)  # Algorithm 2: what a running average is after
    print(recorded.check())  # layers that could not be recorded rightly, with the reason: none, as a rule
    print(report(recorded))  # layer by layer, how far off each momentum would have been
    print(checkup(model, batches, validate, recorded=recorded))  # what is wrong, what it costs, what mends it
    write_back(model, recorded.statistics(0.99))  # if you like another momentum better

Momentum never touches training, so one recorded run tells what every momentum would have given.
Recording, exact statistics and writing back need PyTorch. The rest does not: a recorded run is a small
file (`TorchRecording.save`), to be read and replayed where there is none.

As everywhere here, `momentum` is the weight kept on the **old** estimate: 1 minus PyTorch's number.
"""

from bn_teach._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "comparison": ("MOMENTA", "Report", "report"),
        "diagnosis": ("Diagnosis", "Finding"),
        "examination": ("checkup",),
        "example": ("Example", "load_example"),
        "history": ("LayerHistory", "TorchRecording", "replay_statistics"),
        "live": ("exact_statistics", "record_torch", "write_back"),
    },
)
