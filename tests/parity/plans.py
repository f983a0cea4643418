"""Random schedulers of every class: the same arguments for torch's class and for lrkeeper's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from random import Random
from typing import Any

import torch

from lrkeeper import schedules as S
from lrkeeper.schedules.numbers import F32, F64
from tests.client.classes import TORCH

LEAVES = (
    "LambdaLR",
    "MultiplicativeLR",
    "StepLR",
    "MultiStepLR",
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "OneCycleLR",
    "SWALR",
)
COMPOSITES = ("SequentialLR", "ChainedScheduler", "Sequential[Chained first]", "Chained[Sequential]")
CLASSES = (*LEAVES, "ReduceLROnPlateau", *COMPOSITES)

Function = Callable[[float], float]


@dataclass(frozen=True)
class Plan:
    """A scheduler's class and arguments. Functions are given to torch only, and members are plans."""

    name: str
    arguments: dict[str, Any]
    functions: tuple[Function, ...] = ()
    members: tuple[Plan, ...] = ()

    def build(
        self, optimizer: torch.optim.Optimizer, drawn: list[float], module: Any = TORCH, **more: Any
    ) -> Any:
        """Build a module's scheduler, torch's own; what its functions return is noted in `drawn`."""
        values: dict[str, Any] = {**self.arguments, **more}
        recorded = [_recorded(function, drawn) for function in self.functions]
        if self.name == "CyclicLR" and recorded:
            values["scale_fn"] = recorded[0]
        elif recorded:
            values["lr_lambda"] = recorded[0] if len(recorded) == 1 else recorded
        if self.members:
            values["schedulers"] = [member.build(optimizer, drawn, module) for member in self.members]
        cls = getattr(module, self.name)
        return cls(optimizer, **values) if self.name != "ChainedScheduler" else cls(**values)

    def with_tensors(self, random: Random, dtype: torch.dtype, *, numbers: bool) -> Plan:
        """Return the plan with some arguments as tensors; `numbers`: for an optimizer whose lrs are none."""

        def some(value: Any) -> Any:
            return torch.tensor(float(value), dtype=dtype) if random.random() < 0.7 else value

        values = dict(self.arguments)
        for name, kind in ((f.name, f.type) for f in fields(getattr(S, self.name))):
            if name not in values or kind not in ("float", "PerGroup"):
                continue
            if name in ("power", "min_lr", "pct_start") or (numbers and name == "base_lr"):
                continue  # not kept; no tensor for torch; its base_lr would move with the lr
            if self.name != "CosineAnnealingWarmRestarts":
                value = values[name]
                values[name] = [some(v) for v in value] if isinstance(value, list) else some(value)
        members = tuple(m.with_tensors(random, dtype, numbers=numbers) for m in self.members)
        return replace(self, arguments=values, members=members)

    def schedule(self) -> S.Schedule:
        """Return the same as lrkeeper's builders would, unchecked."""
        values = {
            key: tuple(map(_number, v)) if isinstance(v, list) else _number(v)
            for key, v in self.arguments.items()
        }
        if self.name == "CyclicLR":
            values["custom_scale_fn"] = bool(self.functions)
        if self.members:
            values["schedulers"] = tuple(member.schedule() for member in self.members)
        schedule: S.Schedule = getattr(S, self.name).unchecked(**values)
        return schedule


@dataclass(frozen=True)
class Configuration:
    """A scheduler, and the optimizer it is built on."""

    plan: Plan
    lrs: tuple[float, ...]
    dtype: str
    adam: bool

    def optimizer(self) -> torch.optim.Optimizer:
        groups = [
            {"params": [torch.zeros(1, requires_grad=True)], "lr": self.number(lr), "name": str(i)}
            for i, lr in enumerate(self.lrs)
        ]
        if self.adam:
            return torch.optim.Adam(groups, lr=0.1)
        return torch.optim.SGD(groups, lr=0.1, momentum=0.9)

    def number(self, lr: float) -> Any:
        return torch.tensor(lr, dtype=getattr(torch, self.dtype)) if self.dtype else lr


def configuration(name: str, random: Random) -> Configuration:
    """Draw a scheduler of a class."""
    lrs = tuple(
        random.choice([0.1, 1, 1e-3, random.uniform(1e-6, 2)]) for _ in range(random.choice([1, 1, 2, 3]))
    )
    dtype = random.choice(["", "", "", "", "float32", "float64"])
    return Configuration(_Draw(random, len(lrs)).plan(name), lrs, dtype, random.random() < 0.4)


def with_tensors(drawn: Configuration, random: Random) -> Configuration:
    """Return a configuration with some of its scheduler's arguments as tensors."""
    dtype = getattr(torch, drawn.dtype or random.choice(["float32", "float32", "float64"]))
    return replace(drawn, plan=drawn.plan.with_tensors(random, dtype, numbers=not drawn.dtype))


def _number(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return (F32 if value.dtype == torch.float32 else F64)(value.item())


def _recorded(function: Function, drawn: list[float]) -> Function:
    def call(x: float) -> float:
        drawn.append(function(x))
        return drawn[-1]

    return call


@dataclass
class _Draw:
    """Draws of arguments for so many param groups: also those that only torch takes."""

    random: Random
    groups: int
    depth: int = field(default=0)

    def plan(self, name: str) -> Plan:
        return getattr(self, "_" + "".join(c for c in name if c.isalpha()).lower())()  # type: ignore[no-any-return]

    def _gamma(self) -> float:
        r = self.random
        return r.choice(
            [0.1, 0.5, 1.0, 2.0, 0, -0.5, r.uniform(0, 1.2), r.uniform(0.8, 1.05), r.uniform(0.8, 1)]
        )

    def _iters(self) -> float:
        r = self.random
        return r.choice([1, 2, 3, 5, r.randint(1, 90), r.randint(1, 250), r.randint(1, 60), 2.5, -3, 0])

    def _each(self, low: float, high: float) -> Any:
        r = self.random
        if r.random() < 0.4:
            return [r.uniform(low, high) for _ in range(self.groups)]
        return r.choice([r.uniform(low, high), r.uniform(low, high), low, high])

    def _some(self, arguments: dict[str, Any], required: int = 0) -> dict[str, Any]:
        """Keep the required arguments, and most of the others."""
        return {
            key: value
            for place, (key, value) in enumerate(arguments.items())
            if place < required or self.random.random() < 0.7
        }

    def _function(self) -> Function:
        c = self.random.uniform(0.5, 1.05)
        return self.random.choice(
            [
                lambda x: c**x,
                lambda x: 1 / (1 + c * abs(x)),
                lambda x: c,
                lambda x: math.sin(c * x) + 1,
                lambda x: 1 if x < 10 else 0.5,
            ]
        )

    def _functions(self) -> tuple[Function, ...]:
        return tuple(self._function() for _ in range(self.random.choice([1, self.groups])))

    def _lambdalr(self) -> Plan:
        return Plan("LambdaLR", {}, self._functions())

    def _multiplicativelr(self) -> Plan:
        return Plan("MultiplicativeLR", {}, self._functions())

    def _steplr(self) -> Plan:
        return Plan("StepLR", self._some({"step_size": self._iters(), "gamma": self._gamma()}, 1))

    def _multisteplr(self) -> Plan:
        r = self.random
        milestones = [r.randint(-1, 120) for _ in range(r.randint(0, 8))]
        return Plan("MultiStepLR", self._some({"milestones": milestones, "gamma": self._gamma()}, 1))

    def _constantlr(self) -> Plan:
        r = self.random
        factor = r.choice([0.5, 1.0, 0, 1 / 3, r.random(), r.random()])
        return Plan("ConstantLR", self._some({"factor": factor, "total_iters": self._iters()}))

    def _linearlr(self) -> Plan:
        r = self.random
        arguments = {
            "start_factor": r.choice([1.0, 0.1, 1 / 3, r.uniform(1e-3, 1), r.uniform(1e-3, 1)]),
            "end_factor": r.choice([1.0, 0, 0.5, r.random(), r.random()]),
            "total_iters": self._iters(),
        }
        return Plan("LinearLR", self._some(arguments))

    def _exponentiallr(self) -> Plan:
        return Plan("ExponentialLR", {"gamma": self._gamma()})

    def _polynomiallr(self) -> Plan:
        r = self.random
        power = r.choice([1.0, 2, 0.5, 0, -1, r.uniform(0.1, 4), r.uniform(0.1, 4)])
        return Plan("PolynomialLR", self._some({"total_iters": self._iters(), "power": power}))

    def _eta_min(self) -> float:
        return self.random.choice([0.0, 0, 1e-5, self.random.uniform(0, 0.2), -0.01])

    def _cosineannealinglr(self) -> Plan:
        return Plan("CosineAnnealingLR", self._some({"T_max": self._iters(), "eta_min": self._eta_min()}, 1))

    def _cosineannealingwarmrestarts(self) -> Plan:
        r = self.random
        arguments = {"T_0": r.randint(1, 40), "T_mult": r.choice([1, 1, 2, 3]), "eta_min": self._eta_min()}
        return Plan("CosineAnnealingWarmRestarts", self._some(arguments, 1))

    def _cycliclr(self) -> Plan:
        r = self.random
        arguments = {
            "base_lr": self._each(1e-4, 0.1),
            "max_lr": self._each(0.1, 1),
            "step_size_up": r.choice([1, 2, r.randint(1, 60), r.randint(1, 60), r.uniform(0.5, 30)]),
            "step_size_down": r.choice([None, 1, 0, r.randint(1, 60), r.uniform(0.5, 30)]),
            "mode": r.choice(["triangular", "triangular2", "exp_range"]),
            "gamma": r.choice([1.0, 0.99, r.uniform(0.9, 1.01)]),
            "scale_mode": r.choice(["cycle", "iterations"]),
            "cycle_momentum": r.random() < 0.6,
            "base_momentum": self._each(0.7, 0.85),
            "max_momentum": self._each(0.85, 0.99),
        }
        functions = (self._function(),) if r.random() < 0.3 else ()
        return Plan("CyclicLR", self._some(arguments, 3), functions)

    def _onecyclelr(self) -> Plan:
        r = self.random
        length = r.choice([r.randint(2, 30), r.randint(2, 320), r.randint(150, 320), 300])
        steps: dict[str, Any] = {"total_steps": length}
        if r.random() < 0.2:
            steps = {"epochs": r.randint(1, 20), "steps_per_epoch": r.randint(1, 20)}
        arguments = {
            "pct_start": r.choice([0.3, 0.1, 0.0, 1.0, r.random(), r.random()]),
            "anneal_strategy": r.choice(["cos", "linear"]),
            "cycle_momentum": r.random() < 0.6,
            "base_momentum": self._each(0.7, 0.85),
            "max_momentum": self._each(0.85, 0.99),
            "div_factor": r.choice([25.0, 10, r.uniform(1, 100)]),
            "final_div_factor": r.choice([1e4, 100, r.uniform(1, 1e5)]),
            "three_phase": r.random() < 0.3,
        }
        return Plan("OneCycleLR", {"max_lr": self._each(0.01, 1), **steps, **self._some(arguments)})

    def _swalr(self) -> Plan:
        r = self.random
        arguments = {
            "swa_lr": self._each(0.001, 0.2),
            "anneal_epochs": r.choice([0, 1, 10, r.randint(1, 60), r.randint(1, 250)]),
            "anneal_strategy": r.choice(["cos", "linear"]),
        }
        return Plan("SWALR", self._some(arguments, 1))

    def _reducelronplateau(self) -> Plan:
        r = self.random
        arguments = {
            "mode": r.choice(["min", "max"]),
            "factor": r.choice([0.1, 0.5, 0.9, 0, -0.5, r.random()]),
            "patience": r.choice([0, 1, 3, 10, 2.5, -1]),
            "threshold": r.choice([1e-4, 0.0, 0.1, r.random()]),
            "threshold_mode": r.choice(["rel", "abs"]),
            "cooldown": r.choice([0, 1, 5, 2.5, -1]),
            "min_lr": r.choice([0, self._each(0, 0.05), self._each(0, 0.05)]),
            "eps": r.choice([1e-8, 0, 1e-3]),
        }
        return Plan("ReduceLROnPlateau", self._some(arguments))

    def _members(self, first: str = "") -> tuple[Plan, ...]:
        self.depth += 1
        r = self.random
        names = [first] if first else []
        for _ in range(r.randint(1, 4)):
            deep = self.depth < 3 and r.random() < 0.12
            names.append(r.choice(COMPOSITES[:2] if deep else LEAVES))
        members = tuple(self.plan(name) for name in names)
        self.depth -= 1
        return members

    def _sequentiallr(self, first: str = "") -> Plan:
        r = self.random
        members = self._members(first)
        milestones = [r.randint(0, r.choice([20, 150])) for _ in members[1:]]
        if r.random() < 0.85:
            milestones.sort()
        return Plan("SequentialLR", {"milestones": milestones}, members=members)

    def _chainedscheduler(self, first: str = "") -> Plan:
        return Plan("ChainedScheduler", {}, members=self._members(first))

    def _sequentialchainedfirst(self) -> Plan:
        return self._sequentiallr("ChainedScheduler")

    def _chainedsequential(self) -> Plan:
        return self._chainedscheduler("SequentialLR")
