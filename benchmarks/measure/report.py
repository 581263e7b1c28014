"""docs/benchmarks/NAME.md: what was measured, whether the targets hold, on what, and how to do it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure.machine import commit
from trialsight.files import write_atomic

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "benchmarks"


@dataclass(frozen=True)
class Target:
    """`holds` None: not measured in this run."""

    text: str
    found: str
    holds: bool | None


@dataclass(frozen=True)
class Table:
    """Cells are text; the first column is left-aligned, the others right-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: a row has {len(row)} cells, there are {len(self.columns)} columns")


@dataclass(frozen=True)
class Report:
    """`repeat`: the command that makes it again."""

    name: str
    title: str
    introduction: str
    machine: str
    repeat: str
    tables: tuple[Table, ...]
    targets: tuple[Target, ...] = ()


def write_report(report: Report, folder: Path = DOCS) -> Path:
    path = folder / f"{report.name}.md"
    write_atomic(path, render(report).encode())
    return path


def render(report: Report) -> str:
    """The report as Markdown, ending with a newline."""
    parts = [f"# {report.title}", report.introduction]
    if report.targets:
        rows = [(target.text, target.found, _HOLDS[target.holds]) for target in report.targets]
        parts.append("## Targets\n\n" + _table(("target", "measured", "holds"), rows, left=2))
    for table in report.tables:
        parts.append(f"## {table.title}\n\n" + (f"{table.note}\n\n" if table.note else ""))
        parts[-1] += _table(table.columns, table.rows, left=1)
    made = f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}"
    parts.append(f"## How this was made\n\n{made}: {report.machine}.\n\n```\n{report.repeat}\n```")
    return "\n\n".join(part.strip() for part in parts) + "\n"


_HOLDS = {True: "yes", False: "**no**", None: "not measured"}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    marks = ["---" if index < left else "---:" for index in range(len(columns))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (columns, marks, *rows))
