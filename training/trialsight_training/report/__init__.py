"""Reports for people: one HTML file each, with all pictures inside, that opens without a network."""

from trialsight_training.report.comparison import comparison_report
from trialsight_training.report.evaluation import evaluation_report

__all__ = ["comparison_report", "evaluation_report"]
