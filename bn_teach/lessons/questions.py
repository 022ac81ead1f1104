"""All questions, by name."""

from bn_teach.lessons.running_averages import questions as running_averages
from bn_teach.lessons.samples_and_population import questions as samples
from bn_teach.lessons.start_here import questions as start_here
from bn_teach.lessons.the_paper import questions as paper
from bn_teach.lessons.tracking_accuracy import questions as tracking_accuracy
from bn_teach.lessons.two_modes import questions as two_modes
from bn_teach.lessons.when_training_reads import questions as training_reads
from bn_teach.lessons.whose_statistics import questions as whose_statistics
from bn_teach.lessons.your_framework import questions as your_framework

LESSONS = (
    start_here,
    two_modes,
    samples,
    running_averages,
    tracking_accuracy,
    paper,
    your_framework,
    whose_statistics,
    training_reads,
)
QUESTIONS = {name: question for lesson in LESSONS for name, question in lesson.QUESTIONS.items()}
"""Name to `Question`."""
