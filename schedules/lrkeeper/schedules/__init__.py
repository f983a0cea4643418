"""Schedules as data: `from lrkeeper import schedules as S`.

Each is builder, definition and evaluator in one. Names, arguments and bits are torch's where torch has
the class; `a.then(b, at=20)` joins two so that the value carries on, which torch cannot do.
`from_torch(scheduler)` reads a definition off a live torch scheduler.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lrkeeper.schedules.chained_scheduler import ChainedScheduler
from lrkeeper.schedules.composable.affine import Affine
from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.decay import Decay
from lrkeeper.schedules.composable.expression import Expression
from lrkeeper.schedules.composable.greedy import Greedy
from lrkeeper.schedules.composable.parts import Level, Span
from lrkeeper.schedules.composable.pick import Pick
from lrkeeper.schedules.composable.plateau import Plateau
from lrkeeper.schedules.composable.points import Point, Points
from lrkeeper.schedules.composable.power import Power
from lrkeeper.schedules.composable.product import Product
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.repeat import Repeat
from lrkeeper.schedules.composable.steps import Steps
from lrkeeper.schedules.composable.track import Parameter, Track
from lrkeeper.schedules.composable.tracks import Tracks
from lrkeeper.schedules.composable.warp import Warp
from lrkeeper.schedules.constant_lr import ConstantLR, LinearLR
from lrkeeper.schedules.cosine_annealing import CosineAnnealingLR, CosineAnnealingWarmRestarts
from lrkeeper.schedules.cyclic_lr import CyclicLR
from lrkeeper.schedules.exponential_lr import ExponentialLR, PolynomialLR
from lrkeeper.schedules.lambda_lr import LambdaLR, MultiplicativeLR
from lrkeeper.schedules.multi_step_lr import MultiStepLR
from lrkeeper.schedules.one_cycle_lr import OneCycleLR
from lrkeeper.schedules.reduce_lr_on_plateau import ReduceLROnPlateau
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.sequence import Sequence, Stage
from lrkeeper.schedules.sequential_lr import SequentialLR
from lrkeeper.schedules.step_lr import StepLR
from lrkeeper.schedules.swalr import SWALR

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrkeeper.schedules.importers.composer import from_composer
    from lrkeeper.schedules.importers.deepspeed import from_deepspeed
    from lrkeeper.schedules.importers.hf import from_hf
    from lrkeeper.schedules.importers.ignite import from_ignite
    from lrkeeper.schedules.importers.keras import from_keras
    from lrkeeper.schedules.importers.megatron import from_megatron
    from lrkeeper.schedules.importers.mmengine import from_mmengine
    from lrkeeper.schedules.importers.optax import from_optax
    from lrkeeper.schedules.importers.timm import from_timm

    from_torch: Callable[[Any], Schedule]

_IMPORTERS = (
    "callable",
    "composer",
    "deepspeed",
    "hf",
    "ignite",
    "keras",
    "megatron",
    "mmengine",
    "optax",
    "timm",
)

__all__ = [
    "SWALR",
    "Affine",
    "ChainedScheduler",
    "Constant",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "Decay",
    "ExponentialLR",
    "Expression",
    "Greedy",
    "LambdaLR",
    "Level",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "Parameter",
    "Pick",
    "Plateau",
    "Point",
    "Points",
    "PolynomialLR",
    "Power",
    "Product",
    "Ramp",
    "ReduceLROnPlateau",
    "Repeat",
    "Schedule",
    "Sequence",
    "SequentialLR",
    "Span",
    "Stage",
    "StepLR",
    "Steps",
    "Track",
    "Tracks",
    "Warp",
    "from_callable",
    "from_composer",
    "from_deepspeed",
    "from_hf",
    "from_ignite",
    "from_keras",
    "from_megatron",
    "from_mmengine",
    "from_optax",
    "from_timm",
    "from_torch",
]


def __getattr__(name: str) -> Any:
    if name == "from_torch":  # reads a live torch scheduler; torch belongs to the client's side
        return import_module("lrkeeper.torch.definitions").definition_of
    library = name.removeprefix("from_")
    if name.startswith("from_") and library in _IMPORTERS:
        return getattr(import_module(f"lrkeeper.schedules.importers.{library}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
