"""Comparing what a command does: a script that trains in its own way, run with arguments of ours."""
