"""Refined schedules: the next run's, made of the gradient norms of an earlier one."""
