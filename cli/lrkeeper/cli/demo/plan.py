"""What the demo's jobs do: names, schedules, and the steps at which something happens to them."""

from __future__ import annotations

from lrkeeper import schedules as S

DATABASE = "lrkeeper.sqlite3"
IMAGES = "digits.npz"

STRAIGHT = "digits"
INTERRUPTED = "digits-interrupted"
EDITED = "digits-edited"

EPOCHS = 15
BASE_LR = 0.1
SCHEDULE = S.MultiStepLR(milestones=(6, 10), gamma=0.1)

KILLED_AT = 10
"""The step that is committed and not yet in a checkpoint when trainer and server are killed."""

EDIT_AFTER = 3
"""The epoch after which the operator changes the third run's schedule."""

EDITED_BY = 9
"""The step which the third trainer does not leave before the operator's change has been answered."""

NEW_SCHEDULE = S.StepLR(step_size=3, gamma=0.5)
"""Differs from SCHEDULE at every step from EDIT_AFTER to the end: the change shows wherever it acts."""

NEW_SCHEDULE_FILE = "every-3-epochs.yaml"
REASON = "smaller drops, more of them"
