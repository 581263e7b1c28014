"""A small network that learned the backbone's features of good parts alone: STFPM, EfficientAD."""

from trialsight_training.detectors.student_teacher.fit import learn
from trialsight_training.detectors.student_teacher.model import Pupil, StudentTeacher

__all__ = ["Pupil", "StudentTeacher", "learn"]
