"""Trials a second of a study on worker processes, against bare training loops in as many processes.

Both do the same work on ``digits``: the same model, optimizer, batches and evaluations. The bare loops are written out
in plain PyTorch, with neither session nor store nor pipe. Start-up (importing torch) is left out on both sides. Repeats
alternate; the ratio of medians is printed beside its goal.

    python benchmarks/executor_throughput.py [--trials 16] [--repeats 3]
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import torch

from trimtab.compare.comparison import Comparison
from trimtab.lab.loading import load_task
from trimtab.lab.problem import EVALUATIONS
from trimtab.study.cores import threads_per_worker, usable_cores
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.running import run_study
from trimtab.study.store import Store

GOAL = 0.9
SETTINGS = {"lr": 3e-3, "weight_decay": 0.01}


def bare_trial(task, seed):
    """One run as anybody would write it."""
    torch.manual_seed(seed)
    model = task.model(torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(model.parameters(), **SETTINGS)
    order = torch.Generator().manual_seed(seed)
    task.evaluate(model)
    taken = 0
    while taken < task.steps:
        permutation = torch.randperm(len(task.train), generator=order)
        for start in range(0, len(permutation) - task.batch_size + 1, task.batch_size):
            rows = permutation[start : start + task.batch_size]
            batch = tuple(tensor[rows] for tensor in task.train.tensors)
            optimizer.zero_grad()
            loss = task.losses(task.outputs(model, batch), batch).mean()
            loss.backward()
            optimizer.step()
            loss.item()
            taken += 1
            if taken % (task.steps // EVALUATIONS) == 0:
                task.evaluate(model)
            if taken == task.steps:
                break


def bare_worker(name, trials, threads, barrier, seconds):
    """Runs its share of bare trials, all workers starting together."""
    torch.set_num_threads(threads)
    task = load_task(name)
    bare_trial(task, 0)
    barrier.wait()
    start = time.perf_counter()
    for seed in range(trials):
        bare_trial(task, seed)
    seconds.put(time.perf_counter() - start)


def bare(name, trials, jobs):
    """Seconds for all trials in bare loops."""
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(jobs), context.Queue()
    arguments = (name, trials // jobs, threads_per_worker(jobs), barrier, seconds)
    workers = [context.Process(target=bare_worker, args=arguments) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    taken = max(seconds.get() for _ in workers)
    for worker in workers:
        worker.join()
    return taken


def study(name, trials, jobs):
    """Seconds for all trials in a study, whose workers have run one trial each before."""
    made = Comparison(name, "adamw", trials=trials + jobs, seeds=1, jobs=jobs)
    points = made.first.plan.tuning_points(made.first.plan.candidates[0])
    with (
        tempfile.TemporaryDirectory() as directory,
        Store(Path(directory), {}) as store,
        LocalExecutor(made.work(), jobs=jobs) as executor,
    ):
        run_study(lambda outcomes: points[:jobs], store, executor)
        start = time.perf_counter()
        outcomes = run_study(lambda outcomes: points, store, executor)
        taken = time.perf_counter() - start
    assert all(outcome.status == "complete" for outcome in outcomes.values())
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits")
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    jobs = usable_cores()
    trials = options.trials // jobs * jobs
    bares, studies = [], []
    for _ in range(options.repeats):
        bares.append(bare(options.task, trials, jobs))
        studies.append(study(options.task, trials, jobs))
    ratio = statistics.median(bares) / statistics.median(studies)
    print(f"{options.task}: {trials} trials on {jobs} workers, median of {options.repeats} repeats")
    for name, seconds in (("bare loops", bares), ("study", studies)):
        each = ", ".join(f"{s:.1f}" for s in seconds)
        print(f"  {name:10} {trials / statistics.median(seconds):6.2f} trials/s   (repeats: {each} s)")
    print(f"  ratio      {ratio:6.2f}            goal >= {GOAL}: {'met' if ratio >= GOAL else 'MISSED'}")


if __name__ == "__main__":
    main()
