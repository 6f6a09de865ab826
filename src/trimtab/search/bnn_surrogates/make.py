"""Surrogates by name, made and fitted."""

import copy
from collections.abc import Callable
from typing import Any

from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.model import Model
from botorch.models.model_list_gp_regression import ModelListGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.data import LARGEST_SEED, check_finite, checked_inputs, global_seed, settled_seed
from trimtab.search.bnn_surrogates.deep_ensemble import DeepEnsembleSurrogate
from trimtab.search.bnn_surrogates.deep_kernel import DeepKernelGP
from trimtab.search.bnn_surrogates.hmc import HMCSurrogate
from trimtab.search.bnn_surrogates.infinite_width import InfiniteWidthBNN
from trimtab.search.bnn_surrogates.laplace import LinearizedLaplace
from trimtab.search.bnn_surrogates.sghmc import SGHMCSurrogate
from trimtab.study.errors import InputError

Fitted = Callable[..., Model]


def make_surrogate(
    name: str,
    X: Float[Tensor, "n d"],
    Y: Float[Tensor, "n m"],
    *,
    Yvar: Float[Tensor, "n m"] | None = None,
    seed: int | None = None,
    **settings: Any,
) -> Model:
    """Returns a fitted surrogate.

    ``functools.partial(make_surrogate, "laplace", seed=0)`` is a function of ``X`` and ``Y`` alone.

    Args:
        name: ``"gp"`` is BoTorch's ``SingleTaskGP``; ``"hmc"``, ``"sghmc"``, ``"ensemble"``, ``"infinite_width"``,
            ``"deep_kernel"`` and ``"laplace"`` are ours. A deep kernel has a network for each output, in a
            ``ModelListGP``; all others take several outputs as they are.
        X: points in the unit cube, float64.
        Y: outputs, of which larger ones are better.
        Yvar: known variances of the observations, for ``"gp"``, ``"infinite_width"`` and ``"deep_kernel"``.
        seed: of everything that is drawn; without one it comes from the operating system.
        **settings: of the surrogate's class.

    Raises:
        InputError: there is no surrogate of this name, it takes no ``Yvar``, or the data are not what is needed.
        TypeError: the surrogate has no such setting.
    """
    if name not in _FITTED:
        raise InputError(f"name={name!r}: one of {', '.join(_FITTED)} is needed")
    seed = settled_seed(seed)
    if Yvar is None:
        return _FITTED[name](X, Y, seed=seed, **settings)
    if name not in _WITH_VARIANCES:
        raise InputError(
            f"Yvar: {name} has one variance of the noise, noise_var; {', '.join(_WITH_VARIANCES)} take Yvar"
        )
    if not isinstance(Yvar, Tensor) or Yvar.shape != Y.shape:
        shown = f" of shape {tuple(Yvar.shape)}" if isinstance(Yvar, Tensor) else f"={Yvar!r}"
        raise InputError(f"Yvar{shown}: a tensor of variances of the shape {tuple(Y.shape)} of Y is needed")
    check_finite("Yvar", Yvar)
    if (Yvar < 0).any():
        raise InputError(f"Yvar holds {float(Yvar.min())!r}: variances are >= 0")
    return _FITTED[name](X, Y, Yvar, seed=seed, **settings)


def _ours(surrogate: Callable[..., Any]) -> Fitted:
    return lambda *data, **settings: surrogate(*data, **settings).fit()


def _gp(X: Tensor, Y: Tensor, Yvar: Tensor | None = None, *, seed: int, **settings: Any) -> SingleTaskGP:
    checked_inputs(X, Y, settings.get("input_transform"))
    model = SingleTaskGP(X, Y, Yvar, **settings)
    with global_seed(seed, X.device):
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


def _deep_kernels(X: Tensor, Y: Tensor, *variances: Tensor, seed: int, **settings: Any) -> DeepKernelGP | ModelListGP:
    checked_inputs(X, Y, settings.get("input_transform"))
    if Y.shape[-1] == 1:
        return DeepKernelGP(X, Y, *variances, seed=seed, **settings).fit()
    models = []
    for output in range(Y.shape[-1]):
        column = [each[:, output : output + 1] for each in (Y, *variances)]
        own = copy.deepcopy(settings)  # modules are trained, and each output has its own
        models.append(DeepKernelGP(X, *column, seed=(seed + output) % LARGEST_SEED, **own).fit())
    return ModelListGP(*models)


_FITTED: dict[str, Fitted] = {
    "gp": _gp,
    "hmc": _ours(HMCSurrogate),
    "sghmc": _ours(SGHMCSurrogate),
    "ensemble": _ours(DeepEnsembleSurrogate),
    "infinite_width": _ours(InfiniteWidthBNN),
    "deep_kernel": _deep_kernels,
    "laplace": _ours(LinearizedLaplace),
}
_WITH_VARIANCES = ("gp", "infinite_width", "deep_kernel")
NAMES = tuple(_FITTED)
