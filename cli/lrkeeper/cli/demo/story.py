"""What the demo does, in three acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, chdir
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from sklearn.datasets import load_digits

from lrkeeper import Client
from lrkeeper.cli.commands import lrkeeper
from lrkeeper.cli.demo import plan
from lrkeeper.cli.demo.comparison import compare, differing
from lrkeeper.cli.demo.events import Epoch, Event, Step
from lrkeeper.cli.demo.processes import DemoFailed, Server, Trainer
from lrkeeper.cli.demo.screen import Screen
from lrkeeper.cli.forms import definition

_PATIENCE_SECONDS = 10.0


@dataclass
class Told:
    """What one start of a trainer has told: the lr of each step it took, and its epochs."""

    lrs: dict[int, float] = field(default_factory=dict)
    epochs: list[Epoch] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Add an event."""
        if isinstance(event, Step):
            self.lrs[event.step] = event.lr
        else:
            self.epochs.append(event)


def tell(folder: Path, screen: Screen) -> int:
    """Play all acts; return the step from which the third run's edit acts.

    Trainers start an act early: they import torch while the one before trains. Raises DemoFailed.
    """
    with ExitStack() as processes:
        screen.wait("starting the server and a trainer")
        server = processes.enter_context(Server(folder))
        straight = processes.enter_context(Trainer(folder, plan.STRAIGHT))
        screen.show_data(_write_images(folder / plan.IMAGES))
        screen.show_server(server.wait_until_it_serves(), folder / plan.DATABASE)

        interrupted = processes.enter_context(Trainer(folder, plan.INTERRUPTED, wait_at=plan.KILLED_AT))
        reference = _train(server, straight, screen)
        edited = processes.enter_context(Trainer(folder, plan.EDITED, wait_at=plan.EDITED_BY))
        _crash_and_resume(folder, server, interrupted, reference, screen)
        changed, edited_at = _edit_while_training(folder, server, edited, reference, screen)
        screen.show_curves(
            {f"{plan.STRAIGHT}, {plan.INTERRUPTED}": reference.lrs, plan.EDITED: changed.lrs},
            {
                name: [(epoch.epoch, epoch.loss) for epoch in told.epochs]
                for name, told in ((plan.STRAIGHT, reference), (plan.EDITED, changed))
            },
        )
    return edited_at


def _write_images(path: Path) -> int:
    """Write the digits for the trainers, which need not import scikit-learn then; return how many."""
    digits = load_digits()
    np.savez(path, images=digits.images, digits=digits.target)
    return len(digits.target)


def _train(server: Server, trainer: Trainer, screen: Screen) -> Told:
    """The first act: a job trains with the server's learning rate."""
    screen.show_act(1, "A job trains; the server keeps its learning rate")
    screen.show_scheduler(trainer.run)
    screen.show_epoch_head()
    told = Told()
    for event in _events_of(server, trainer, screen):
        told.note(event)
        if isinstance(event, Epoch):
            screen.show_epoch(event)
    return told


def _crash_and_resume(
    folder: Path, server: Server, trainer: Trainer, reference: Told, screen: Screen
) -> None:
    """The second act: kill -9 for trainer and server, between a committed step and its checkpoint.

    Raises DemoFailed if the lr column is not the first run's to the bit.
    """
    screen.show_act(2, "The same job again; trainer and server are killed in mid-run")
    screen.show_scheduler(trainer.run)
    screen.show_epoch_head()
    before, after = Told(), Told()
    for event in _events_of(server, trainer, screen):
        before.note(event)
        if isinstance(event, Epoch):
            screen.show_epoch(event)
        elif event.step == plan.KILLED_AT:
            break
    server.kill()
    trainer.kill()
    screen.show_kill(plan.KILLED_AT)

    screen.wait("starting both again")
    server.start()
    with Trainer(folder, plan.INTERRUPTED, resume=True) as resumed:
        server.wait_until_it_serves()
        with Client(server.address, patience=_PATIENCE_SECONDS) as client:
            committed = client.get_run(plan.INTERRUPTED).frontier - 1
        for event in _events_of(server, resumed, screen):
            if isinstance(event, Epoch):
                screen.show_epoch(event)
            elif not after.lrs:
                screen.show_resume(server.address, event.step, committed)
                if not event.step < committed == plan.KILLED_AT:
                    raise DemoFailed(
                        f"the resumed job is at step {event.step} of {committed} committed ones, and "
                        f"{plan.KILLED_AT} was handed out before the kill; it must replay that step"
                    )
            after.note(event)

    rows = compare(reference.lrs, before.lrs, after.lrs)
    screen.show_comparison(rows)
    difference = differing(rows)
    if difference:
        raise DemoFailed(f"the two lr columns are NOT bit-identical: {difference}")
    screen.show_identical(len(rows), [row.step for row in rows if row.replayed])


def _edit_while_training(
    folder: Path, server: Server, trainer: Trainer, reference: Told, screen: Screen
) -> tuple[Told, int]:
    """The third act: an operator changes the schedule of a run while it trains. Return the step from which.

    Raises DemoFailed if the trainer's lr is not the old schedule's below the step that the server named,
    and the new one's from there on, to the bit.
    """
    screen.show_act(3, "An operator changes a schedule while the job trains")
    screen.show_scheduler(trainer.run)
    screen.show_epoch_head()
    told = Told()
    e = plan.EPOCHS + 1
    with Client(server.address, patience=_PATIENCE_SECONDS) as client:
        for event in _events_of(server, trainer, screen):
            told.note(event)
            if not isinstance(event, Epoch):
                continue
            screen.show_epoch(event, acts=event.epoch == e)
            if event.epoch == plan.EDIT_AFTER:
                file = folder / plan.NEW_SCHEDULE_FILE
                file.write_text(yaml.safe_dump(definition(plan.NEW_SCHEDULE), sort_keys=False))
                screen.show_file(file)
                with chdir(folder):
                    _type(server, screen, "set-schedule", plan.EDITED, file.name, "--reason", plan.REASON)
                e = client.get_run(plan.EDITED).edits[-1].effective_step
                trainer.go()
        new = client.preview_schedule(plan.NEW_SCHEDULE, plan.EPOCHS + 1, base_lrs=[plan.BASE_LR]).table
    expected = {step: lr if step < e else new.row(step)["lr"][0] for step, lr in reference.lrs.items()}
    difference = differing(compare(expected, told.lrs))
    if difference:
        raise DemoFailed(f"the trainer's lr is not the new schedule's from step {e} on: {difference}")
    screen.show_change(e, told.lrs[e - 1], told.lrs[e], reference.lrs[e])
    for step in (e - 1, e):
        _type(server, screen, "explain", plan.EDITED, str(step))
    return told, e


def _type(server: Server, screen: Screen, *words: str) -> None:
    """Run `lrkeeper run …` as an operator does, in this process, and show it."""
    screen.show_command("lrkeeper", "run", *words)
    with screen.without_bar():
        lrkeeper.main(["run", *words, f"--server={server.address}"], standalone_mode=False)


def _events_of(server: Server, trainer: Trainer, screen: Screen) -> Iterator[Event]:
    """Let a trainer begin, and yield what it tells."""
    screen.wait(f"{trainer.run}: importing torch")
    trainer.go(server.address)
    for event in trainer.events():
        screen.wait(f"{trainer.run}: training")
        yield event
