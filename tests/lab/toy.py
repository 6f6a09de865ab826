"""A small task with everything that can go wrong with exactness: dropout, batch statistics, augmentation."""

import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from trimtab import Metric, Session, Task
from trimtab.lab.trial import run_trial
from trimtab.lab.work import TrainingWork


class Jittered(Dataset):
    """Rows with random noise added whenever they are read."""

    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, row):
        return self.inputs[row] + 0.1 * torch.randn(6), self.targets[row]


class Toy(Task):
    name = "toy"
    metric = Metric("accuracy", "max", target=0.6)
    batch_size = 10
    steps = 20
    seeds = 3

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(120, 6, generator=generator)
        targets = (inputs @ torch.randn(6, 3, generator=generator)).argmax(1)
        self.train = Jittered(inputs[:64], targets[:64])
        self.validation = TensorDataset(inputs[64:90], targets[64:90])
        self.test = TensorDataset(inputs[90:], targets[90:])

    def model(self, generator):
        return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))

    def losses(self, outputs, batch):
        return nn.functional.cross_entropy(outputs, batch[1], reduction="none")

    def score(self, outputs, batch):
        return (outputs.argmax(1) == batch[1]).float().mean()


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def session(seed=0, task=None, optimizer=sgd, **more):
    return Session(task or Toy(), optimizer, seed=seed, **more)


class TrainWork(TrainingWork):
    """Runs the toy task with the point's learning rate."""

    def __call__(self, point, report):
        def make():
            return session(point.seed, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=point.settings["lr"]))

        return run_trial(make, evaluations=4, test=point.final, report=report)
