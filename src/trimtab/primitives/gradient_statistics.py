r"""What gradients of parts of a batch say of their mean: how noisy it is, in all, in each coordinate, and along itself.

The parts are single samples, or micro-batches of so many samples each. For gradients :math:`g_1, \dots, g_n` of parts
of :math:`m` samples, with mean :math:`\bar g`, everything here follows from three sums,

.. math::
    \sum_i g_{ij}, \qquad \sum_i (g_{ij} - \bar g_j)^2, \qquad \sum_i \langle g_i - \bar g, \bar g \rangle^2,

of which the first two can be put together from the sums of pieces, exactly (Chan, Golub & LeVeque, 1979). The third
cannot, because it depends on the mean of all: it takes a second look at the gradients. Where they come from, and how a
batch's are had sample by sample, is in ``sample_gradients``.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trimtab.primitives.hyperparameters import POSITIVE, whole_number
from trimtab.primitives.layout import is_dense, working_dtype
from trimtab.primitives.outer_products import Gradients, OuterProducts

Tensors: TypeAlias = Mapping[str, Float[Tensor, "..."]]
"""One tensor for each parameter, by its name."""

IN_CACHE = 2**18
"""Elements that are worked on at once."""

_positive = whole_number(1)


@dataclass(frozen=True)
class GradientStatistics:
    r"""Mean and scatter of the gradients of a batch's parts, taken over all parameters together.

    Variances are those of the gradient of one sample, and unbiased (:math:`n - 1` in the denominator): the mean of
    :math:`m` samples scatters :math:`m` times less, so that those of micro-batches count :math:`m` times. Numbers are
    sums in float64.

    Args:
        count: how many gradients there are, :math:`n`.
        mean: :math:`\bar g`, the gradient of the batch, in float32 at least.
        squared_deviations: :math:`\sum_i (g_{ij} - \bar g_j)^2` of every coordinate.
        squared_projections: :math:`\sum_i \langle g_i - \bar g, \bar g \rangle^2`, or ``None`` where nobody asked.
        samples_each: of how many samples each gradient is the mean, :math:`m`.
        loss: the mean of the samples' losses, where it is known.
        second_pass: whether the projections took gradients a second time.
    """

    count: int
    mean: Tensors
    squared_deviations: Tensors
    squared_projections: float | None = None
    samples_each: int = 1
    loss: float | None = None
    second_pass: bool = False

    @property
    def samples(self) -> int:
        """How many samples the gradients are of."""
        return self.count * self.samples_each

    @property
    def scale(self) -> float:
        """What turns a sum of squared deviations into the variance of one sample's gradient.

        Raises:
            ValueError: there is only one gradient.
        """
        if self.count < 2:
            raise ValueError(f"a variance takes two gradients or more, and there is {self.count}")
        return self.samples_each / (self.count - 1)

    @cached_property
    def squared_norm(self) -> float:
        r""":math:`\lVert \bar g \rVert^2`."""
        return total(tensor.square() for tensor in self.mean.values())

    @cached_property
    def variance(self) -> float:
        r""":math:`V = \sum_j \operatorname{Var}_i(g_{ij})`."""
        return self.scale * total(self.squared_deviations.values())

    @property
    def inner_product_variance(self) -> float:
        r""":math:`\operatorname{Var}_i \langle g_i, \bar g \rangle`.

        Raises:
            ValueError: the projections were not asked for, or lost by putting statistics together.
        """
        if self.squared_projections is None:
            raise ValueError(
                "the inner products with the mean are not known: ask for them with inner_products=True; statistics "
                "that are put together lose them, because their means differ"
            )
        return self.scale * self.squared_projections

    @property
    def orthogonal_variance(self) -> float:
        r""":math:`\sum_j \operatorname{Var}_i(o_{ij})` of what is orthogonal to the mean.

        With :math:`o_i = g_i - \langle g_i, \bar g \rangle \bar g / \lVert \bar g \rVert^2` it is
        :math:`V - \operatorname{Var}_i \langle g_i, \bar g \rangle / \lVert \bar g \rVert^2`; all of :math:`V` where
        the mean is zero.
        """
        along = self.inner_product_variance / self.squared_norm if self.squared_norm > 0 else 0.0
        across = self.variance - along
        return 0.0 if across < 0 else across  # by rounding; NaN stays NaN

    def variances(self) -> dict[str, Float[Tensor, "..."]]:
        """Returns the variance of every coordinate."""
        return {name: self.scale * tensor for name, tensor in self.squared_deviations.items()}

    def merge(self, other: "GradientStatistics") -> "GradientStatistics":
        """Returns the statistics of both's gradients together, as one pass over all of them would, but for rounding.

        The law of total variance with unbiased variances, which is also in use, differs from it by a part in the number
        of samples; with population variances it is the same.

        Args:
            other: of the same parameters, and of as many samples a gradient.

        Raises:
            ValueError: it is not.
        """
        if self.samples_each != other.samples_each:
            raise ValueError(f"gradients of {self.samples_each} samples and of {other.samples_each} do not mix")
        if self.mean.keys() != other.mean.keys():
            raise ValueError("the two are gradients of other parameters")
        mean = {name: tensor.clone() for name, tensor in self.mean.items()}
        deviations = {name: tensor.clone() for name, tensor in self.squared_deviations.items()}
        absorb(mean, deviations, self.count, other)
        count = self.count + other.count
        loss = None
        if self.loss is not None and other.loss is not None:
            loss = (self.count * self.loss + other.count * other.loss) / count
        return GradientStatistics(count, mean, deviations, samples_each=self.samples_each, loss=loss)

    def over_processes(self) -> "GradientStatistics":
        """Returns the statistics of all processes' gradients together, of ``torch.distributed``'s default group.

        Exact, in two sums over the processes: of the means, and of what deviates from the mean of all.

        Raises:
            RuntimeError: there is no default group.
        """
        import torch.distributed as dist

        if not dist.is_initialized():
            raise RuntimeError("distributed=True needs processes: call torch.distributed.init_process_group() first")
        device = next(iter(self.mean.values())).device
        own = 0.0 if self.loss is None else self.count * self.loss
        sums = torch.tensor([self.count, own], dtype=torch.float64, device=device)
        dist.all_reduce(sums)
        count = round(float(sums[0]))
        means, deviations = {}, {}
        for name, mean in self.mean.items():
            means[name] = mean * (self.count / count)
            dist.all_reduce(means[name])
            offset = (mean - means[name]).square_()
            deviations[name] = offset.mul_(self.count).add_(self.squared_deviations[name])
            dist.all_reduce(deviations[name])
        loss = None if self.loss is None else float(sums[1]) / count
        return GradientStatistics(count, means, deviations, samples_each=self.samples_each, loss=loss)

    def write_to(self, model: nn.Module, *, loss_scale: float = 1.0) -> None:
        """Makes the mean the gradient of a model's parameters, in their own type; other gradients become ``None``.

        Args:
            model: whose parameters have the names of the statistics.
            loss_scale: what the gradients are multiplied with, ``scaler.get_scale()`` where a gradient scaler takes the
                step and unscales them.

        Raises:
            TypeError: ``loss_scale`` is not a number.
            ValueError: ``loss_scale`` is not positive, or a name is not among the model's parameters'.
        """
        loss_scale = POSITIVE("loss_scale", loss_scale)
        params = dict(undistributed(model).named_parameters())
        unknown = self.mean.keys() - params.keys()
        if unknown:
            raise ValueError(f"the model has no parameter {', '.join(sorted(unknown))}")
        for name, param in params.items():
            param.grad = (self.mean[name] * loss_scale).to(param.dtype) if name in self.mean else None


def of_means(gradients: Sequence[Tensors], samples_each: int) -> GradientStatistics:
    r"""Returns the statistics that the gradients of a few micro-batches allow, without any of a single sample.

    Their mean is the batch's gradient. The variance of one sample's gradient is estimated as :math:`m` times that of
    theirs, which is right on average, but from :math:`K` numbers in each coordinate instead of :math:`K m`: take
    :math:`K \ge 8`. To keep fewer copies than :math:`K`, make statistics of one micro-batch at a time and
    :meth:`~GradientStatistics.merge` them; inner products are then not to be had.

    Args:
        gradients: the gradient of each micro-batch's mean loss, by the parameters' names; see :func:`gradients_of`.
        samples_each: :math:`m`, how many samples each micro-batch has.

    Raises:
        TypeError: ``samples_each`` is not a whole number.
        ValueError: ``samples_each`` is less than one, there are no gradients, or they are of different parameters.
    """
    samples_each = _positive("samples_each", samples_each)
    if not gradients:
        raise ValueError("gradients=[]: one micro-batch is needed at least")
    if any(each.keys() != gradients[0].keys() for each in gradients):
        raise ValueError("gradients are those of different parameters")
    stacked: dict[str, Gradients] = {name: torch.stack([each[name] for each in gradients]) for name in gradients[0]}
    return replace(centred(stacked, inner_products=True), samples_each=samples_each)


def gradients_of(model: nn.Module, *, loss_scale: float = 1.0) -> dict[str, Float[Tensor, "..."]]:
    """Returns copies of the gradients of a model's parameters, by name.

    Args:
        model: the model.
        loss_scale: what they are divided by, ``scaler.get_scale()`` where a gradient scaler has scaled the loss.

    Raises:
        TypeError: ``loss_scale`` is not a number.
        ValueError: ``loss_scale`` is not positive.
    """
    loss_scale = POSITIVE("loss_scale", loss_scale)
    named = undistributed(model).named_parameters()
    return {name: param.grad.detach() / loss_scale for name, param in named if param.grad is not None}


def undistributed(model: nn.Module) -> nn.Module:
    """Returns the model inside of ``DistributedDataParallel``, whose exchange of gradients is not wanted here."""
    inside = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model
    assert isinstance(inside, nn.Module)  # noqa: S101 - for the type checker
    return inside


def centred(stacked: dict[str, Gradients], *, inner_products: bool) -> GradientStatistics:
    """Returns the statistics of gradients that are all there, and subtracts their mean from them.

    Args:
        stacked: for each parameter its gradients, one behind the other; they are replaced, and may be written to.
        inner_products: whether to look at inner products with the mean as well.
    """
    mean, deviations = {}, {}
    for name, each in stacked.items():
        if isinstance(each, OuterProducts):
            mean[name] = each.mean()
            deviations[name] = each.squared_deviations(mean[name])
            stacked[name] = replace(each, centre=mean[name])
        else:
            tensor = each.to(working_dtype(each.dtype))
            mean[name] = tensor.mean(0)
            # those of a parameter that is not used are one zero, expanded
            centred_tensor = tensor.sub_(mean[name]) if is_dense(tensor) else tensor - mean[name]
            stacked[name], deviations[name] = centred_tensor, sum_of_squares(centred_tensor)
    count = len(next(iter(stacked.values())))
    projections = squares(projected(stacked, mean)) if inner_products else None
    return GradientStatistics(count, mean, deviations, projections)


def sum_of_squares(tensor: Float[Tensor, "n ..."]) -> Float[Tensor, "..."]:
    """Returns the sum of squares over the first dimension, by pieces: new memory for all would take longer than all."""
    rows = max(1, IN_CACHE // max(1, tensor[0].numel()))
    parts = iter(torch.split(tensor, rows))
    first = next(parts)
    found = (first * first).sum(0)
    for part in parts:
        found.add_((part * part).sum(0))
    return found


def projected(stacked: Mapping[str, Gradients], onto: Tensors) -> Float[Tensor, " n"]:
    """Returns the inner products of gradients with one vector."""
    products = [
        each.projected(onto[name]) if isinstance(each, OuterProducts) else each.flatten(1) @ onto[name].flatten()
        for name, each in stacked.items()
    ]
    return torch.stack(products).sum(0)


def squares(values: Float[Tensor, " n"]) -> float:
    """Returns the sum of squares, in float64."""
    return float(values.double().square().sum())


def total(tensors: Iterable[Float[Tensor, "..."]]) -> float:
    """Returns the sum of all elements, in float64."""
    sums = [tensor.sum(dtype=torch.float64) for tensor in tensors]
    return math.fsum(torch.stack(sums).tolist()) if sums else 0.0


def absorb(
    mean: dict[str, Tensor], squared_deviations: dict[str, Tensor], count: int, other: GradientStatistics
) -> None:
    """Adds other gradients to the mean and the squared deviations of ``count`` gradients, in place."""
    together = count + other.count
    for name, value in mean.items():
        offset = other.mean[name] - value
        value.add_(offset, alpha=other.count / together)
        squared_deviations[name].add_(other.squared_deviations[name])
        squared_deviations[name].add_(offset.square_(), alpha=count * other.count / together)
