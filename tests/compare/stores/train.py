import argparse
import random

parser = argparse.ArgumentParser()
parser.add_argument("--opt")
parser.add_argument("--lr", type=float)
parser.add_argument("--seed", type=int)
given = parser.parse_args()
generator = random.Random(given.seed)
best = {"sgd": 0.1, "adam": 0.01}[given.opt]
for k in range(3):
    print(f"val_acc: {0.9 - (given.lr - best) ** 2 - 0.3 / (k + 1) + 0.01 * generator.random():.4f}")
