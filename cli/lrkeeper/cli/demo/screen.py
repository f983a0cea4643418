"""What the demo shows: lines that read well in a file too, and a progress bar on a terminal."""

from __future__ import annotations

import io
import math
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from lrkeeper.cli.demo import plan
from lrkeeper.cli.demo.comparison import Row
from lrkeeper.cli.demo.curves import Curve, draw
from lrkeeper.cli.demo.events import Epoch

_EPOCHS_TRAINED = 3 * plan.EPOCHS + 1
"""Three runs, and the epoch that the resumed one repeats."""


class Screen:
    """The console. Used as a context: the bar is there within."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a Latin-1 console has no braille to draw with
        self._console = Console(highlight=False)
        self._started = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=_EPOCHS_TRAINED)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def without_bar(self) -> Iterator[None]:
        """Leave the terminal to others, who would write beside the bar."""
        if self._progress.disable:
            yield
            return
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def wait(self, what: str) -> None:
        """Say beside the bar what is going on."""
        self._progress.update(self._task, description=what)

    def show_data(self, images: int) -> None:
        """Show what is trained on."""
        self._say(f"{images:,} handwritten digits of 8 × 8 pixels (scikit-learn), four fifths to train on")

    def show_server(self, address: str, database: Path) -> None:
        """Show the server."""
        self._say(f"lrkeeper serve: listening on {address}, keeping its runs in {escape(str(database))}")

    def show_act(self, number: int, title: str) -> None:
        """Begin an act."""
        self._say()
        self._console.rule(f"[bold]{number}. {title}", align="left")

    def show_scheduler(self, run: str) -> None:
        """Show the trainer's line that this is about."""
        self._say(f'[cyan]RemoteLR(optimizer, S.{plan.SCHEDULE}, run="{run}", unit="epoch", horizon=0)')

    def show_epoch_head(self) -> None:
        """Begin the columns of a run."""
        self._say("[bold]epoch  lr          loss  accuracy")

    def show_epoch(self, epoch: Epoch, *, acts: bool = False) -> None:
        """Show a trained epoch."""
        mark = "  [magenta]← the new schedule acts" if acts else ""
        self._say(f"{epoch.epoch:>5}  {epoch.lr:<8.6g}  {epoch.loss:.4f}    {epoch.accuracy:>6.1%}{mark}")
        self._progress.advance(self._task)

    def show_kill(self, step: int) -> None:
        """Show the crash."""
        self._say(
            f"[bold red]kill -9[/] for the server and the trainer. "
            f"Step {step} is committed, and not yet in a checkpoint."
        )

    def show_resume(self, address: str, step: int, committed: int) -> None:
        """Show from where to where the resumed job replays."""
        self._say(
            f"[bold green]Both started again[/], the server on {address}. "
            f"The job resumes from its checkpoint at step {step}."
        )
        self._say(f"The database has steps 0 to {committed}: the job is given step {committed} again.")

    def show_comparison(self, rows: Sequence[Row]) -> None:
        """Show two lr columns side by side, as their bits."""
        columns = f"{plan.STRAIGHT:<21}  {plan.INTERRUPTED}"
        self._say()
        self._say(f"[bold]step  lr        {columns}")
        for row in rows:
            for place, lr in enumerate(row.others or (None,)):
                same = "[green]=[/]" if row.same else "[bold red]DIFFERENT[/]"
                bits = f"{_bits(row.reference):<21}  {_bits(lr):<21}"
                number = math.nan if row.reference is None else row.reference
                self._say(f"{row.step:>4}  {number:<8.6g}  {bits}  {same}{' resumed' if place else ''}")

    def show_identical(self, steps: int, replayed: Sequence[int]) -> None:
        """Show that the comparison has passed."""
        again = " and ".join(map(str, replayed))
        self._say(
            f"[bold green]The two lr columns are bit-identical[/]: {steps} steps, of which the resumed job was "
            f"given {again} again."
        )

    def show_file(self, file: Path) -> None:
        """Show a file's text."""
        self.show_command("cat", file.name)
        self._say(escape(file.read_text().rstrip()))

    def show_command(self, *words: str) -> None:
        """Show what an operator types."""
        self._say(f"[cyan]$ {escape(shlex.join(words))}")

    def show_change(self, step: int, before: float, at: float, old: float) -> None:
        """Show that the lr changed where the server said."""
        self._say()
        self._say(
            f"[bold green]Up to step {step - 1} the trainer had the old schedule's lr, from step {step} on the "
            "new one's[/], to the bit:"
        )
        self._say(
            f"{before:.6g} at step {step - 1}, {at:.6g} at step {step} (the old schedule has {old:.6g} there)."
        )

    def show_curves(
        self,
        lrs: Mapping[str, Mapping[int, float]],
        losses: Mapping[str, Sequence[tuple[int, float]]],
    ) -> None:
        """Draw the learning rates and the losses, and say how long it all took."""
        self._progress.stop()
        self._say()
        self._console.rule("[bold]The curves", align="left")
        self._draw("lr", {name: _held(column) for name, column in lrs.items()})
        self._draw("loss", losses)
        self._say(f"Done in {time.monotonic() - self._started:.0f} s.")

    def show_kept(self, folder: Path, edited_at: int) -> None:
        """Say how to look at what was kept."""
        self._say()
        self._say(f"Kept in {escape(str(folder))}: the database, the logs, the checkpoints. To look at them:")
        for command in (
            f"lrkeeper serve --database-url {shlex.quote(f'sqlite:///{folder / plan.DATABASE}')} &",
            "export LRKEEPER_SERVER=127.0.0.1:50051",
            "lrkeeper run list",
            f"lrkeeper run history {plan.EDITED}",
            f"lrkeeper run explain {plan.EDITED} {edited_at}",
        ):
            self._say(f"  [cyan]{escape(command)}")

    def _draw(self, name: str, curves: Mapping[str, Curve]) -> None:
        self._console.print(Text.from_ansi(draw(name, curves)), soft_wrap=True)
        self._say()

    def _say(self, text: str = "") -> None:
        # A long line is the terminal's to wrap: a path or command can be copied, a file stays greppable.
        self._console.print(text, soft_wrap=True)


def _bits(lr: float | None) -> str:
    return "nothing" if lr is None else lr.hex()


def _held(column: Mapping[int, float]) -> Curve:
    """Return the steps' lrs as the stairs they are: each holds for an epoch."""
    return [
        (step + along, lr) for step, lr in sorted(column.items()) if step < plan.EPOCHS for along in (0, 1)
    ]
