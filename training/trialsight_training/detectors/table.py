"""The detectors that a recipe can name."""

from trialsight_training.detectors import auto, discriminator, gaussian, patch_memory, segmenter, student_teacher
from trialsight_training.detectors.detector import Learn

DETECTORS: dict[str, Learn] = {
    "auto": auto.learn,
    "patch_memory": patch_memory.learn,
    "gaussian": gaussian.learn,
    "discriminator": discriminator.learn,
    "student_teacher": student_teacher.learn,
    "segmenter": segmenter.learn,
}
