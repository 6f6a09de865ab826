"""Studies: designs of trials that run on executors and are kept in stores. Knows no torch.

A :class:`~trimtab.study.point.Point` is one trial of a design; :func:`~trimtab.study.running.run_study` has what a
design asks for run on an :class:`~trimtab.study.executor.Executor`, and keeps each
:class:`~trimtab.study.outcome.Outcome` in a :class:`~trimtab.study.store.Store`. Beside them stand the statistics of
outcomes, and what tells how far a study is.

Nothing is imported here, so that what needs little (errors, ranges) does not wait for the rest.
"""
