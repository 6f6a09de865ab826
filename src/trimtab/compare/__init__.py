"""The main job: which of these methods helps on a task, with evidence."""
