"""Experiments: tasks, sessions, studies, stores, executors, statistics. Knows no method.

A :class:`~trimtab.lab.task.Task` holds data, model and loss as parts; a :class:`~trimtab.lab.session.Session` is one
run in progress; a study is a design of trials that :func:`~trimtab.study.running.run_study` runs on an
:class:`~trimtab.study.executor.Executor` and keeps in a :class:`~trimtab.study.store.Store`.

Nothing is imported here, so that what needs no torch (errors, ranges, statistics) does not wait for it.
"""
