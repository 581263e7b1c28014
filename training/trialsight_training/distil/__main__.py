"""`python -m trialsight_training.distil`: make the small backbone that Trialsight ships, from a torchvision trunk.

    python -m trialsight_training.distil --images photographs/ --teacher resnet18.pth --out student.safetensors \\
        --minutes 90 --resume
"""

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def main(
    images: Annotated[Path, typer.Option(help="Folder of photographs, any subject; about 1,000.")],
    teacher: Annotated[Path, typer.Option(help="Weights of the trunk: a torchvision state dict.")],
    out: Annotated[Path, typer.Option(help="The .safetensors file to write; its card goes beside it.")],
    minutes: Annotated[float, typer.Option(min=0, help="Time budget, earlier parts of a resumed run included.")] = 90,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint, where there is one.")] = False,
    init: Annotated[
        Path | None, typer.Option(help="A student to begin with: its .safetensors, card beside it.")
    ] = None,
    learning_rate: Annotated[float, typer.Option(min=0, help="The highest; less where --init is given.")] = 2e-3,
    trunk: Annotated[str, typer.Option(help="The teacher's name in torchvision.")] = "resnet18",
    layers: Annotated[str, typer.Option(help="Its layers at strides 8 and 16.")] = "layer2,layer3",
    textures: Annotated[int, typer.Option(min=0, help="Made-up surfaces to add.")] = 1500,
    parts: Annotated[int, typer.Option(min=0, help="Simulated parts to add.")] = 150,
    batch: Annotated[int, typer.Option(min=2, help="Crops a step.")] = 16,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End after so many steps even within the time.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads that learn; all cores but one by default.")
    ] = None,
    seed: int = 0,
    note: Annotated[str, typer.Option(help="For the card: what else there is to say.")] = "",
    home: Annotated[Path | None, typer.Option(help="Where MLflow keeps the run.")] = None,
) -> None:
    """Teach a small network the feature maps of a large one and write it with a card that says how it was made."""
    import torch

    from trialsight.files import sha256_of
    from trialsight.home import Home
    from trialsight_training.backbones import create_backbone
    from trialsight_training.backbones.shipped import Made, card_of, load_student, read_card, save
    from trialsight_training.distil.pictures import Pool
    from trialsight_training.distil.report import Report
    from trialsight_training.distil.run import Settings, distil

    torch.set_num_threads(threads or max(1, (os.cpu_count() or 2) - 1))  # one core cuts crops and asks the teacher
    checkpoint = out.with_suffix(".checkpoint.pt")
    names = tuple(layers.split(","))
    settings = Settings(minutes=minutes, batch=batch, learning_rate=learning_rate, max_steps=max_steps, seed=seed)
    with Report(Home.at(home), out.stem, settings, resume) as report:
        trunk_of = create_backbone(trunk, str(teacher), names)
        pool = Pool.gather(images, textures, parts, seed, report.note)
        begun = load_student(init) if init else None
        outcome = distil(trunk_of, pool, settings, checkpoint, resume=resume, tell=report.tell, init=begun)
        made = Made(
            teacher=trunk,
            teacher_layers=names,
            teacher_sha256=sha256_of(teacher),
            data=f"{len(pool.photographs)} everyday photographs, {len(pool.textures)} procedural textures and "
            f"{len(pool.parts)} simulated parts of the project's own; crops flipped, turned, scaled, toned, blurred; "
            "half of them with drawn blemishes",
            loss="unexplained variance within each image, of the maps and of their 3x3 averages, and of what "
            "the blemishes change in these",
            steps=outcome.last.step,
            images=outcome.last.images,
            minutes=round(outcome.last.seconds / 60, 1),
            seed=seed,
            unexplained8=round(outcome.last.unexplained8, 4),
            unexplained16=round(outcome.last.unexplained16, 4),
            git_commit=git_commit(),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            torch=torch.__version__,
            begun_with=read_card(init).sha256 if init else "",
            note=note,
        )
        card = save(outcome.student, made, out)
        report.keep(out, card_of(out))
        report.note(f"{out}: {card.parameters:,} parameters, {card.bytes:,} bytes")


def git_commit() -> str:
    """Of the source tree; `-dirty` where this code was changed since, `unknown` outside a checkout."""
    git = ("git", "-C", str(Path(__file__).parent.parent))
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return "unknown"
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--", "distil", "backbones"], capture_output=True, text=True, check=True
    )
    return head.stdout.strip() + ("-dirty" if changed.stdout.strip() else "")


def run() -> None:
    from trialsight.errors import TrialsightError

    try:
        typer.run(main)
    except TrialsightError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


if __name__ == "__main__":
    run()
