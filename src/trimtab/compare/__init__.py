"""The main job: which of these methods helps on a problem, with evidence."""

from trimtab.lab.work import LIKELY, NEEDED

DEFAULT_TRIALS = 16
"""Settings tried for each candidate: over the three powers of ten of a learning rate, five in each."""

LIKELY_OF_TASKS = (*LIKELY, "trimtab.catalog.candidates")
"""What a worker that runs candidates on tasks will import if this process has."""

WORKERS_OF_TASKS = (*NEEDED, *LIKELY_OF_TASKS, "trimtab.compare.work")
"""What workers import that run candidates on tasks, of which scikit-learn holds the best known."""

WORKERS_OF_COMMANDS = ("trimtab.compare.work", "trimtab.lab.commands.problem")
"""What workers import that run commands."""
