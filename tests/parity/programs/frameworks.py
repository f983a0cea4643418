"""What frameworks do with a scheduler, as their released code does it."""

PROGRAMS: dict[str, str] = {}

PROGRAMS["a Trainer with functions of its own"] = """\
import math
from functools import partial
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

def _linear(current_step, *, num_warmup_steps, num_training_steps):
    if current_step < num_warmup_steps:
        return float(current_step) / float(max(1, num_warmup_steps))
    return max(0.0, float(num_training_steps - current_step) / float(max(1, num_training_steps - num_warmup_steps)))

def _cosine(current_step, *, num_warmup_steps, num_training_steps, num_cycles):
    if current_step < num_warmup_steps:
        return float(current_step) / float(max(1, num_warmup_steps))
    progress = float(current_step - num_warmup_steps) / float(max(1, num_training_steps - num_warmup_steps))
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * float(num_cycles) * 2.0 * progress)))

def linear(optimizer, warmup, steps, last_epoch=-1):
    return LambdaLR(optimizer, partial(_linear, num_warmup_steps=warmup, num_training_steps=steps), last_epoch)

def cosine(optimizer, warmup, steps, num_cycles=0.5, last_epoch=-1):
    function = partial(_cosine, num_warmup_steps=warmup, num_training_steps=steps, num_cycles=num_cycles)
    return LambdaLR(optimizer, lr_lambda=function, last_epoch=last_epoch)

class Trainer:
    def __init__(self, model, optimizer, scheduler):
        self.model, self.optimizer, self.lr_scheduler = model, optimizer, scheduler
        self.state = []

    def _get_learning_rate(self):
        if isinstance(self.lr_scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            last_lr = self.optimizer.param_groups[0]["lr"]
        else:
            last_lr = self.lr_scheduler.get_last_lr()[0]
        return last_lr.item() if torch.is_tensor(last_lr) else last_lr

    def train(self, steps):
        for step in range(steps):
            self.model(torch.ones(4, 2)).pow(2).mean().backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            before = self._get_learning_rate()
            self.optimizer.step()
            if not isinstance(self.lr_scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
                self.lr_scheduler.step()
            elif step % 4 == 3:
                self.lr_scheduler.step(1.0)
            self.model.zero_grad()
            self.state.append({"step": step, "learning_rate": before})
        print(self.state)

for make in (partial(linear, warmup=3, steps=12), partial(cosine, warmup=4, steps=12),
             partial(ReduceLROnPlateau, patience=1)):
    model = nn.Linear(2, 1)
    optimizer = torch.optim.AdamW([{"params": [model.weight], "weight_decay": 0.1}, {"params": [model.bias]}], lr=5e-5)
    Trainer(model, optimizer, make(optimizer)).train(12)
    for group in optimizer.param_groups:
        print(group["lr"], group["initial_lr"] if "initial_lr" in group else None)
"""

PROGRAMS["what Lightning asks of a scheduler"] = """\
import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

class Misconfigured(Exception):
    pass

def configured(optimizers, scheduler):
    config = {"scheduler": scheduler, "interval": "epoch", "frequency": 1, "monitor": "val_loss",
              "reduce_on_plateau": isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)}
    if not (callable(getattr(scheduler, "state_dict", None)) and callable(getattr(scheduler, "load_state_dict", None))):
        raise TypeError("no checkpoints")
    if not isinstance(scheduler, (torch.optim.lr_scheduler.LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)):
        raise Misconfigured(type(scheduler))
    if scheduler.optimizer not in optimizers:
        raise Misconfigured("another optimizer")
    if isinstance(scheduler, torch.optim.lr_scheduler.OneCycleLR):
        config["interval"] = "step"
    return config

class Monitor:
    def extract(self, scheduler):
        groups = scheduler.optimizer.param_groups
        use_betas = "betas" in scheduler.optimizer.defaults
        momentum = [g["betas"][0] if use_betas else g.get("momentum", 0) for g in groups]
        return [g["lr"] for g in groups], momentum

for make in (
    lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, factor=0.2),
    lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    lambda o: lr_scheduler.CosineAnnealingLR(o, 6),
    lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.9)], [3]),
):
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    config = configured([optimizer], make(optimizer))
    metrics = {}
    for epoch in range(10):
        optimizer.step(lambda: model(torch.ones(4, 2)).pow(2).mean())
        metrics["val_loss"] = torch.tensor(1.0 if epoch < 5 else 0.5)
        if config["reduce_on_plateau"]:
            config["scheduler"].step(metrics[config["monitor"]])
        else:
            config["scheduler"].step()
        print(config["interval"], Monitor().extract(config["scheduler"]))
    print(issubclass(type(config["scheduler"]), LRScheduler))
    print(sorted(set(config["scheduler"].state_dict()) - {"lrkeeper"}))
"""

PROGRAMS["Accelerate's wrapper"] = """\
import warnings
import torch
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, LambdaLR

warnings.filterwarnings("ignore", category=UserWarning, module="torch.optim.lr_scheduler")

class State:
    num_processes = 4
    sync_gradients = True
    adjust_scheduler = True

class AcceleratedScheduler:
    def __init__(self, scheduler, optimizers, split_batches=False):
        self.scheduler, self.optimizers, self.split_batches = scheduler, optimizers, split_batches
        self.gradient_state = State()

    def step(self, *args, **kwargs):
        if not self.gradient_state.sync_gradients:
            if self.gradient_state.adjust_scheduler:
                self.scheduler._step_count += 1
            return
        if self.split_batches:
            self.scheduler.step(*args, **kwargs)
            return
        for _ in range(self.gradient_state.num_processes):
            if hasattr(self.scheduler, "total_steps"):
                if self.scheduler._step_count <= self.scheduler.total_steps:
                    self.scheduler.step(*args, **kwargs)
            else:
                self.scheduler.step(*args, **kwargs)

    def get_last_lr(self):
        return self.scheduler.get_last_lr()

    def state_dict(self):
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict):
        self.scheduler.load_state_dict(state_dict)

    def get_lr(self):
        return self.scheduler.get_lr()

def prepare(obj, optimizers):
    return AcceleratedScheduler(obj, optimizers) if isinstance(obj, LRScheduler) else obj

for make in (lambda o: OneCycleLR(o, 0.1, total_steps=30), lambda o: LambdaLR(o, lambda step: 0.98**step)):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.01)
    scheduler = prepare(make(optimizer), [optimizer])
    for step in range(24):
        scheduler.gradient_state.sync_gradients = step % 2 == 1
        if scheduler.gradient_state.sync_gradients:
            optimizer.step()
        scheduler.step()
        print(step, scheduler.get_last_lr(), scheduler.scheduler._step_count, scheduler.scheduler.last_epoch)
    state = scheduler.state_dict()
    state.pop("lrkeeper", None)
    print({key: value for key, value in state.items() if key != "lr_lambdas"})
    print(scheduler.get_lr())
"""

PROGRAMS["DeepSpeed's schedulers by name"] = """\
import json
from collections.abc import Callable
import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import _LRScheduler

class Engine:
    def __init__(self, optimizer, config=None, client=None):
        self.optimizer = optimizer
        self.lr_scheduler = None
        if config and hasattr(lr_scheduler, config["type"]):
            self.lr_scheduler = getattr(lr_scheduler, config["type"])(optimizer, **config["params"])
        elif client:
            self.lr_scheduler = client(optimizer) if isinstance(client, Callable) else client
        assert isinstance(self.lr_scheduler, (_LRScheduler, torch.optim.lr_scheduler.LRScheduler))

    def step(self, lr_kwargs=None):
        self.optimizer.step()
        try:
            self.lr_scheduler.step(**(lr_kwargs or {}))
        except TypeError:
            print("once more")
            self.lr_scheduler.step(32)

    def get_lr(self):
        return [group["lr"] for group in self.optimizer.param_groups]

configs = json.loads('''[
  {"type": "StepLR", "params": {"step_size": 2, "gamma": 0.5}},
  {"type": "CosineAnnealingLR", "params": {"T_max": 8, "eta_min": 1e-5}},
  {"type": "OneCycleLR", "params": {"max_lr": 0.01, "total_steps": 40, "cycle_momentum": true}},
  {"type": "CyclicLR", "params": {"base_lr": 0.001, "max_lr": 0.01, "step_size_up": 3, "cycle_momentum": false}},
  {"type": "ReduceLROnPlateau", "params": {"patience": 1}}
]''')
for config in configs:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=0.02)
    engine = Engine(optimizer, config)
    for step in range(6):
        engine.step()
        print(config["type"], engine.get_lr(), engine.lr_scheduler.get_last_lr())
    if config["type"] != "ReduceLROnPlateau":
        engine.step({"epoch": 3})
        print(engine.get_lr())
optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=0.02)
for client in (lambda o: lr_scheduler.ExponentialLR(o, 0.9), lr_scheduler.LinearLR(optimizer)):
    engine = Engine(optimizer, client=client)
    engine.step()
    print(engine.get_lr(), isinstance(client, Callable), bool(client))
"""

PROGRAMS["a scheduler of the program's own"] = """\
import torch
from torch.optim import lr_scheduler

class InverseSquareRoot(lr_scheduler.LRScheduler):
    def __init__(self, optimizer, warmup, last_epoch=-1):
        self.warmup = warmup
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        step = self.last_epoch + 1
        return [base * min(step**-0.5, step * self.warmup**-1.5) for base in self.base_lrs]

optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=1.0)
scheduler = InverseSquareRoot(optimizer, 4)
for _ in range(10):
    optimizer.step()
    scheduler.step()
    print(scheduler.get_last_lr())
print(scheduler.state_dict())
"""

PROGRAMS["a GradScaler that skips steps"] = """\
import torch
from torch import nn
from torch.optim import lr_scheduler

model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = lr_scheduler.PolynomialLR(optimizer, total_iters=8, power=0.9)
scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
for step in range(10):
    optimizer.zero_grad()
    loss = model(torch.ones(4, 2)).pow(2).mean() * (float("inf") if step in (0, 5) else 1.0)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    before = scaler.get_scale()
    scaler.update()
    if scaler.get_scale() >= before:
        scheduler.step()
    print(step, scaler.get_scale(), scheduler.get_last_lr())
"""
