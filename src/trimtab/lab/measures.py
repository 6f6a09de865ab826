"""What is measured of every session, by the names under which outcomes keep it."""

TEST_LOSS, TEST_METRIC = "test loss", "test metric"
"""Of final runs, in the end, on the test split."""

STEPS, STEP_SECONDS = "steps", "step seconds"
"""Steps of the optimizer that were taken, and wall-clock seconds of one."""

STATE_BYTES = "state bytes"
"""Memory that the optimizer keeps between steps."""

PREPARATION_SECONDS = "preparation seconds"
"""Wall-clock seconds that it took to make what a problem brings, by whoever made it; no part of a trial's own."""

MEASURED = (TEST_LOSS, TEST_METRIC, STEPS, STEP_SECONDS, STATE_BYTES)

LEARNING_RATE, BATCH_SIZE = "learning rate", "batch size"
"""Traces of final runs in which they changed."""
