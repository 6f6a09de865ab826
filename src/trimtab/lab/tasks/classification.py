"""What tasks with one class a sample have in common."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from trimtab.lab.task import Batch, Task


class Classification(Task):
    """A task whose batches are ``(inputs, classes)`` and whose outputs are one logit a class.

    Attributes:
        label_smoothing: share of the target that is spread evenly over all classes, in [0, 1).
    """

    label_smoothing: float = 0.0

    def losses(self, outputs: Float[Tensor, "batch classes"], batch: Batch) -> Float[Tensor, " batch"]:
        """Returns the cross-entropy of each sample."""
        return functional.cross_entropy(outputs, batch[1], reduction="none", label_smoothing=self.label_smoothing)

    def score(self, outputs: Float[Tensor, "batch classes"], batch: Batch) -> Float[Tensor, ""]:
        """Returns the accuracy."""
        return torch.eq(outputs.argmax(1), batch[1]).to(torch.float32).mean()
