"""Training loops as tutorials write them."""

PROGRAMS: dict[str, str] = {}

PROGRAMS["an epoch loop that prints the lr"] = """\
import torch
from torch import nn
from torch.optim import lr_scheduler

model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
for epoch in range(25):
    optimizer.zero_grad()
    loss = model(torch.ones(4, 2)).pow(2).mean()
    loss.backward()
    optimizer.step()
    before = optimizer.param_groups[0]["lr"]
    scheduler.step()
    after = optimizer.param_groups[0]["lr"]
    print(f"Epoch {epoch}: lr {before:.5f} -> {after:.5f}, {scheduler.get_last_lr()}, {scheduler.last_epoch}")
"""

PROGRAMS["warmup, then a cosine"] = """\
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

model = nn.Linear(2, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.01)
warmup = LinearLR(optimizer, start_factor=0.01, total_iters=5)
cosine = CosineAnnealingLR(optimizer, T_max=20 - 5, eta_min=1e-6)
scheduler = SequentialLR(optimizer, schedulers=[warmup, cosine], milestones=[5])
for epoch in range(20):
    print(epoch, scheduler.get_last_lr(), optimizer.param_groups[0]["lr"])
    model(torch.ones(4, 2)).pow(2).mean().backward()
    optimizer.step()
    optimizer.zero_grad()
    scheduler.step()
print(warmup.last_epoch, cosine.last_epoch, scheduler.last_epoch)
print(warmup.get_last_lr(), cosine.get_last_lr())
"""

PROGRAMS["a chain"] = """\
import torch
from torch.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR, PolynomialLR

parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
optimizer = torch.optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 1}], lr=0.05)
first = ConstantLR(optimizer, factor=0.1, total_iters=4)
second = ExponentialLR(optimizer, gamma=0.9)
third = PolynomialLR(optimizer, total_iters=9, power=2)
scheduler = ChainedScheduler([first, second, third])
for _ in range(14):
    optimizer.step()
    scheduler.step()
    print(scheduler.get_last_lr(), [s.get_last_lr() for s in (first, second, third)], first.last_epoch)
"""

PROGRAMS["one cycle, a step for each batch, past its end"] = """\
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
batches = [torch.ones(4, 2) * i for i in range(3)]
scheduler = OneCycleLR(optimizer, max_lr=0.1, epochs=4, steps_per_epoch=len(batches))
for epoch in range(4):
    for batch in batches:
        optimizer.zero_grad()
        model(batch).pow(2).mean().backward()
        optimizer.step()
        scheduler.step()
        print(scheduler.get_last_lr()[0], optimizer.param_groups[0]["momentum"])
try:
    scheduler.step()
except ValueError as error:
    print("too far:", error, scheduler.get_last_lr())
    raise
"""

PROGRAMS["one cycle of Adam, by a function of its own"] = """\
import torch
from torch.optim.lr_scheduler import OneCycleLR

def make(optimizer, steps):
    return OneCycleLR(optimizer, [1e-3, 1e-4], total_steps=steps, pct_start=0.25, anneal_strategy="linear",
                      three_phase=True, div_factor=10, final_div_factor=100)

parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
optimizer = torch.optim.Adam([{"params": [p]} for p in parameters], betas=(0.9, 0.98))
scheduler = make(optimizer, 20)
for _ in range(19):
    optimizer.step()
    scheduler.step()
    print([(g["lr"], g["betas"]) for g in optimizer.param_groups])
print({k: v for k, v in optimizer.param_groups[0].items() if "momentum" in k or "lr" in k})
"""

PROGRAMS["betas that cycle"] = """\
import torch
from torch.optim import lr_scheduler

optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=0.01, betas=(0.5, 0.999))
scheduler = lr_scheduler.CyclicLR(optimizer, base_lr=0.001, max_lr=0.01, step_size_up=5, mode="exp_range", gamma=0.99)
for _ in range(23):
    optimizer.step()
    scheduler.step()
    print(optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"], scheduler.get_last_lr())
print(scheduler.base_lrs, scheduler.max_lrs, scheduler.total_size, scheduler.mode)
try:
    lr_scheduler.CyclicLR(torch.optim.Adagrad([torch.nn.Parameter(torch.ones(2))]), 0.1, 0.2)
except ValueError as error:
    print(error)
"""

PROGRAMS["a plateau, and stopping early"] = """\
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=1, threshold=0.01, min_lr=1e-3, cooldown=1)
accuracies = [0.5, 0.6, 0.6, 0.6, 0.61, 0.61, 0.61, 0.61, 0.59] + [0.6] * 30
for epoch, accuracy in enumerate(accuracies):
    optimizer.step()
    scheduler.step(torch.tensor(accuracy))
    print(epoch, optimizer.param_groups[0]["lr"], scheduler.num_bad_epochs, scheduler.best, scheduler.in_cooldown)
    if optimizer.param_groups[0]["lr"] <= 1e-3:
        print("stopped")
        break
scheduler.step()
"""

PROGRAMS["stepping in the wrong order"] = """\
import torch
from torch.optim import lr_scheduler

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
for _ in range(5):
    scheduler.step()
    optimizer.step()
print(scheduler.get_last_lr())
later = lr_scheduler.CosineAnnealingLR(optimizer, 4)
later.step()
later.step()
"""

PROGRAMS["an optimizer step that was overridden"] = """\
import types
import torch
from torch.optim import lr_scheduler

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
scheduler = lr_scheduler.MultiStepLR(optimizer, [2, 4])
before = optimizer.step

def step(self, *args, **kwargs):
    return before(*args, **kwargs)

optimizer.step = types.MethodType(step, optimizer)
for _ in range(6):
    optimizer.step()
    scheduler.step()
"""

PROGRAMS["epochs handed to step"] = """\
import torch
from torch.optim import lr_scheduler

def train(optimizer, scheduler):
    for epoch in range(6):
        optimizer.step()
        scheduler.step(epoch)
        print(epoch, scheduler.last_epoch, scheduler.get_last_lr())
    scheduler.step(epoch=2)

for make in (
    lambda o: lr_scheduler.StepLR(o, 2),
    lambda o: lr_scheduler.LambdaLR(o, lambda e: 0.9**e),
    lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    lambda o: lr_scheduler.ConstantLR(o),
):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    train(optimizer, make(optimizer))
lr_scheduler.StepLR(optimizer, 2, verbose=True)
"""

PROGRAMS["two schedulers on one optimizer"] = """\
import torch
from torch.optim import lr_scheduler

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
decay = lr_scheduler.ExponentialLR(optimizer, gamma=0.95)
drops = lr_scheduler.MultiStepLR(optimizer, milestones=[3, 7], gamma=0.1)
plateau = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
for epoch in range(12):
    optimizer.step()
    decay.step()
    drops.step()
    plateau.step(1.0)
    print(epoch, decay.get_last_lr(), drops.get_last_lr(), plateau.get_last_lr(), optimizer.param_groups[0]["lr"])
"""

PROGRAMS["lrs changed by hand"] = """\
import torch
from torch.optim import lr_scheduler

parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
optimizer = torch.optim.SGD([{"params": [p]} for p in parameters], lr=0.1)
scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
for group in optimizer.param_groups:
    group["lr"] = 0.5
for epoch in range(10):
    optimizer.step()
    if epoch == 3:
        optimizer.param_groups[1]["lr"] = 0.01
    if epoch == 6:
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
    print([group["lr"] for group in optimizer.param_groups], scheduler.get_last_lr())
    scheduler.step()
"""

PROGRAMS["warmup by hand, then a scheduler"] = """\
import torch
from torch.optim import lr_scheduler

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9, nesterov=True)
scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
for iteration in range(15):
    if iteration < 5:
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (iteration + 1) / 5
    optimizer.step()
    if iteration >= 5:
        scheduler.step()
    print(iteration, optimizer.param_groups[0]["lr"], scheduler.get_last_lr())
"""

PROGRAMS["weights averaged at the end"] = """\
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.optim.swa_utils import AveragedModel, update_bn
from torch.optim.swa_utils import SWALR

model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
loader = [torch.randn(4, 2) for _ in range(2)]
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = CosineAnnealingLR(optimizer, T_max=10)
averaged = AveragedModel(model)
swa = SWALR(optimizer, anneal_strategy="linear", anneal_epochs=5, swa_lr=0.05)
for epoch in range(18):
    for batch in loader:
        optimizer.zero_grad()
        model(batch).pow(2).mean().backward()
        optimizer.step()
    if epoch > 8:
        averaged.update_parameters(model)
        swa.step()
    else:
        scheduler.step()
    print(epoch, optimizer.param_groups[0]["lr"], scheduler.get_last_lr(), swa.get_last_lr())
update_bn(loader, averaged)
print(averaged(loader[0]).tolist())
"""

PROGRAMS["an lr that is a tensor"] = """\
import torch
from torch.optim import lr_scheduler

for make in (
    lambda o: lr_scheduler.LinearLR(o, total_iters=4),
    lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.95),
):
    lr = torch.tensor(0.01)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=lr)
    scheduler = make(optimizer)
    for _ in range(8):
        optimizer.step()
        scheduler.step()
        print(lr, optimizer.param_groups[0]["lr"] is lr, scheduler.get_last_lr(), scheduler.base_lrs)
"""

PROGRAMS["arguments that are refused"] = """\
import torch
from torch.optim import lr_scheduler

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
for make in (
    lambda: lr_scheduler.StepLR(optimizer),
    lambda: lr_scheduler.StepLR(None, 3),
    lambda: lr_scheduler.StepLR(optimizer, 3, last_epoch=4),
    lambda: lr_scheduler.ConstantLR(optimizer, factor=2),
    lambda: lr_scheduler.LinearLR(optimizer, 0),
    lambda: lr_scheduler.LambdaLR(optimizer, [abs, abs]),
    lambda: lr_scheduler.MultiplicativeLR(optimizer, 0.9),
    lambda: lr_scheduler.ReduceLROnPlateau(optimizer, factor=1.0),
    lambda: lr_scheduler.ReduceLROnPlateau(optimizer, "least"),
    lambda: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 0),
    lambda: lr_scheduler.OneCycleLR(optimizer, 0.1),
    lambda: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10),
    lambda: lr_scheduler.CyclicLR(optimizer, [0.1, 0.2], 0.3),
    lambda: lr_scheduler.SequentialLR(optimizer, [], []),
    lambda: lr_scheduler.SequentialLR(optimizer, [lr_scheduler.StepLR(optimizer, 3)], [5]),
    lambda: lr_scheduler.ChainedScheduler([]),
):
    try:
        make()
    except Exception as error:
        print(type(error).__name__, error)
    print(optimizer.param_groups[0]["lr"])
scheduler = lr_scheduler.StepLR(optimizer, step_size=0)
optimizer.step()
scheduler.step()
"""
