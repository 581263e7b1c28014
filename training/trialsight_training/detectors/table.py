"""The detectors that a recipe can name."""

from trialsight_training.detectors import discriminator, gaussian, patch_memory, segmenter, student_teacher
from trialsight_training.detectors.detector import Learn

DETECTORS: dict[str, Learn] = {
    "patch_memory": patch_memory.learn,
    "gaussian": gaussian.learn,
    "discriminator": discriminator.learn,
    "student_teacher": student_teacher.learn,
    "segmenter": segmenter.learn,
}
