"""Programs that save, resume, copy and print their schedulers."""

PROGRAMS: dict[str, str] = {}

PROGRAMS["resuming from a checkpoint"] = """\
import io
import torch
from torch import nn
from torch.optim import lr_scheduler

def build(make):
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return model, optimizer, make(optimizer)

def train(model, optimizer, scheduler, epochs):
    for epoch in epochs:
        optimizer.zero_grad()
        model(torch.ones(4, 2)).pow(2).mean().backward()
        optimizer.step()
        scheduler.step()
        print(epoch, scheduler.get_last_lr(), optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"])

def save(model, optimizer, scheduler):
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict()}, file)
    file.seek(0)
    return file

for make in (
    lambda o: lr_scheduler.StepLR(o, 3, gamma=0.5),
    lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 7]),
    lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2),
    lambda o: lr_scheduler.OneCycleLR(o, 0.2, total_steps=15),
    lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=4),
    lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.LinearLR(o), lr_scheduler.CosineAnnealingLR(o, 7)], [5]),
):
    job = build(make)
    train(*job, range(6))
    checkpoint = torch.load(save(*job), weights_only=True)
    model, optimizer, scheduler = build(make)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    print(scheduler.last_epoch, scheduler.get_last_lr())
    train(model, optimizer, scheduler, range(6, 12))
"""

PROGRAMS["resuming at last_epoch"] = """\
import torch
from torch.optim import lr_scheduler

parameter = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([parameter], lr=0.1)
scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
for _ in range(4):
    optimizer.step()
    scheduler.step()
state = optimizer.state_dict()
second = torch.optim.SGD([parameter], lr=0.1)
second.load_state_dict(state)
resumed = lr_scheduler.CosineAnnealingLR(second, T_max=10, last_epoch=3)
print(resumed.last_epoch, resumed.get_last_lr(), resumed.base_lrs)
for _ in range(4):
    second.step()
    resumed.step()
    print(resumed.get_last_lr())
third = torch.optim.SGD([{"params": [parameter], "initial_lr": 0.3}], lr=0.2)
other = lr_scheduler.ExponentialLR(third, 0.5, last_epoch=2)
for _ in range(3):
    third.step()
    other.step()
    print(other.get_last_lr(), other.base_lrs)
"""

PROGRAMS["a state dict that is printed"] = """\
import torch
from torch.optim import lr_scheduler

class Decay:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate**epoch

    def __repr__(self):
        return f"Decay({self.rate})"

for make in (
    lambda o: lr_scheduler.LambdaLR(o, [Decay(0.9), Decay(1.0)]),
    lambda o: lr_scheduler.MultiplicativeLR(o, Decay(0.99)),
    lambda o: lr_scheduler.StepLR(o, 3),
    lambda o: lr_scheduler.MultiStepLR(o, [2, 2, 5]),
    lambda o: lr_scheduler.ConstantLR(o),
    lambda o: lr_scheduler.LinearLR(o),
    lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    lambda o: lr_scheduler.PolynomialLR(o),
    lambda o: lr_scheduler.CosineAnnealingLR(o, 4),
    lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.2),
    lambda o: lr_scheduler.OneCycleLR(o, 0.2, 30),
    lambda o: lr_scheduler.ReduceLROnPlateau(o),
):
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [p]} for p in parameters], lr=0.1, momentum=0.9)
    scheduler = make(optimizer)
    for _ in range(3):
        optimizer.step()
        scheduler.step(*([0.5] if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else []))
    state = scheduler.state_dict()
    state.pop("lrkeeper", None)
    print(state)
    print({key: value for key, value in vars(scheduler).items() if key in state})
    print([key for key in vars(scheduler) if key not in state])
"""

PROGRAMS["copies of a scheduler"] = """\
import copy
import pickle
import torch
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR, ReduceLROnPlateau, StepLR

def again(scheduler):
    return pickle.loads(pickle.dumps(scheduler))

for make in (lambda o: StepLR(o, 2), lambda o: OneCycleLR(o, 0.1, 20), lambda o: ExponentialLR(o, 0.9)):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9)
    scheduler = make(optimizer)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    for copied in (copy.deepcopy, again):
        each = copied(scheduler)
        for _ in range(3):
            each.optimizer.step()
            each.step()
        print(each.last_epoch, each.get_last_lr(), each.optimizer.param_groups[0]["lr"], each.optimizer is optimizer)
"""

PROGRAMS["going back to the best epoch"] = """\
import copy
import torch
from torch.optim import lr_scheduler

optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
best = None
for epoch in range(8):
    optimizer.step()
    scheduler.step()
    if epoch == 3:
        best = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    print(scheduler.get_last_lr())
optimizer.load_state_dict(best[0])
scheduler.load_state_dict(best[1])
for epoch in range(4, 10):
    print(scheduler.last_epoch, optimizer.param_groups[0]["lr"])
    optimizer.step()
    scheduler.step()
"""

PROGRAMS["a checkpoint from before the first step"] = """\
import torch
from torch.optim import lr_scheduler

for make in (
    lambda o: lr_scheduler.LinearLR(o),
    lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.5**epoch),
    lambda o: lr_scheduler.OneCycleLR(o, 0.2, 30),
    lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.ConstantLR(o), lr_scheduler.StepLR(o, 2)], [3]),
):
    parameter = torch.nn.Parameter(torch.ones(2))
    first = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    scheduler = make(first)
    first.param_groups[0]["lr"] = 0.07
    saved = first.state_dict(), scheduler.state_dict()
    for optimizer in (torch.optim.SGD([parameter], lr=0.1, momentum=0.9), first):
        resumed = make(optimizer)
        optimizer.load_state_dict(saved[0])
        resumed.load_state_dict(saved[1])
        print(resumed.get_last_lr(), optimizer.param_groups[0]["lr"])
        for _ in range(5):
            optimizer.step()
            resumed.step(*([1.0] if isinstance(resumed, lr_scheduler.ReduceLROnPlateau) else []))
            print(resumed.get_last_lr(), optimizer.param_groups[0]["lr"], resumed.last_epoch)
"""

PROGRAMS["a OneCycleLR with the books of an older torch"] = """\
import torch
from torch.optim.lr_scheduler import OneCycleLR

for strategy, function in (("cos", OneCycleLR._annealing_cos), ("linear", OneCycleLR._annealing_linear)):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9)
    scheduler = OneCycleLR(optimizer, max_lr=25, total_steps=10, anneal_strategy=strategy)
    del scheduler._anneal_func_type
    state = scheduler.state_dict()
    state["anneal_func"] = function
    scheduler.load_state_dict(state)
    for _ in range(9):
        optimizer.step()
        scheduler.step()
        print(scheduler.get_last_lr(), optimizer.param_groups[0]["momentum"])
"""
