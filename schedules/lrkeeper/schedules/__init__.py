"""Schedules as data: `from lrkeeper import schedules as S`.

Each is builder, definition and evaluator in one. Names, arguments and bits are torch's where torch has
the class; `a.then(b, at=20)` joins two so that the value carries on, which torch cannot do.
"""

from lrkeeper.schedules.multi_step_lr import MultiStepLR
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.sequence import Sequence, Stage
from lrkeeper.schedules.sequential_lr import SequentialLR
from lrkeeper.schedules.step_lr import StepLR

__all__ = ["MultiStepLR", "Schedule", "Sequence", "SequentialLR", "Stage", "StepLR"]
