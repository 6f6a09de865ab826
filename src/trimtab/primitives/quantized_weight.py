"""A weight that is stored in few bits, and looks to a model and its optimizer like one in floating point."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from trimtab.primitives.quantizer import QuantizedTensor, quantize_affine

aten = torch.ops.aten

Context: TypeAlias = tuple[int, int, torch.dtype]


class QuantizedWeight(Tensor):
    """A weight of a linear layer in few bits.

    Where it is read, a copy in floating point is made, which lives as long as the operation: a linear layer keeps the
    codes for its backward pass, not the copy. Its gradient is an ordinary tensor, of which second derivatives may be
    taken. Arithmetic in place is refused, because an optimizer's small steps would be lost:
    :class:`~trimtab.optim.QGaLore` stores new values by :meth:`replace`, rounded at random.

    It is saved, loaded, copied and moved between devices like any parameter.

    Args:
        quantized: the numbers.
        dtype: the floating type that it has for others.
    """

    codes: Tensor
    scale: Tensor
    zero: Tensor
    bits: int
    group_size: int

    @staticmethod
    def __new__(cls, quantized: QuantizedTensor, dtype: torch.dtype) -> "QuantizedWeight":
        """Makes the outside: a shape, a type, a device, and no memory."""
        made: QuantizedWeight = torch.Tensor._make_wrapper_subclass(
            cls, quantized.shape, dtype=dtype, device=quantized.codes.device
        )
        return made

    def __init__(self, quantized: QuantizedTensor, _dtype: torch.dtype) -> None:
        self.codes, self.scale, self.zero = quantized.codes, quantized.scale, quantized.zero
        self.bits, self.group_size = quantized.bits, quantized.group_size

    @property
    def quantized(self) -> QuantizedTensor:
        """The numbers, in few bits."""
        return QuantizedTensor(self.codes, self.scale, self.zero, self.shape, self.bits, self.group_size)

    def replace(self, values: Float[Tensor, "..."], rounding_key: float | None = None) -> None:
        """Stores other numbers, each group in a new range.

        Args:
            values: of the same shape.
            rounding_key: see :func:`~trimtab.primitives.quantizer.quantize_affine`.
        """
        self._write(quantize_affine(values, self.bits, self.group_size, rounding_key=rounding_key))

    def _write(self, quantized: QuantizedTensor) -> None:
        # In place, for detached weights share this memory.
        self.codes.copy_(quantized.codes)
        self.scale.copy_(quantized.scale)
        self.zero.copy_(quantized.zero)
        torch.autograd.graph.increment_version(self)

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]  # torch's names its argument
        return f"{type(self).__name__}({self.quantized.dequantize()}, bits={self.bits}, group_size={self.group_size})"

    def __tensor_flatten__(self) -> tuple[list[str], Context]:
        """Names the tensors inside."""
        return ["codes", "scale", "zero"], (self.bits, self.group_size, self.dtype)

    @classmethod
    def __tensor_unflatten__(
        cls, inner: dict[str, Tensor], context: Context, size: torch.Size, _stride: Sequence[int]
    ) -> "QuantizedWeight":
        """Puts the tensors inside together again."""
        bits, group_size, dtype = context
        return cls(QuantizedTensor(**inner, shape=torch.Size(size), bits=bits, group_size=group_size), dtype)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Keeps the codes instead of a copy for the backward pass of a linear layer."""
        if func is functional.linear:
            return _linear(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch's is a function
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Reads in floating point; copies as it is; refuses to be written to."""
        kwargs = kwargs or {}
        if func in _AS_IT_IS:
            return _AS_IT_IS[func](*args, **kwargs)
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is not None and isinstance(value, cls):
                raise TypeError(
                    f"{func} would read or write the memory of a weight that is stored in {value.bits} bits: only "
                    "QGaLore moves such weights; dequantize() returns a copy"
                )
        return func(*_read(args), **_read(kwargs))

    def dequantize(self) -> Tensor:
        """Returns a copy in floating point."""
        with torch.no_grad():
            return self.quantized.dequantize().to(self.dtype)


def _like(weight: QuantizedWeight, change: Callable[[Tensor], Tensor]) -> QuantizedWeight:
    own = weight.quantized
    inner = {name: change(getattr(own, name)) for name in ("codes", "scale", "zero")}
    return QuantizedWeight(QuantizedTensor(**{**vars(own), **inner}), weight.dtype)


def _detach(weight: QuantizedWeight) -> QuantizedWeight:
    return _like(weight, lambda inner: inner)


def _clone(weight: QuantizedWeight, **_: Any) -> QuantizedWeight:
    return _like(weight, Tensor.clone)


def _to(weight: QuantizedWeight, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> QuantizedWeight:
    if dtype not in (None, weight.dtype):
        raise TypeError(
            f"a weight that is stored in few bits stays {weight.dtype} for others: convert to {dtype} first"
        )
    return _like(weight, lambda inner: inner.to(device, copy=True))


def _copy(weight: Tensor, source: Tensor, *_: Any) -> Tensor:
    if not isinstance(weight, QuantizedWeight):
        return weight.copy_(_read(source))
    if isinstance(source, QuantizedWeight) and (source.bits, source.group_size) == (weight.bits, weight.group_size):
        weight._write(source.quantized)
    else:
        weight.replace(_read(source).to(weight.device))
    return weight


def _view(weight: QuantizedWeight, size: Sequence[int]) -> QuantizedWeight:
    if tuple(size) != tuple(weight.shape):
        raise TypeError(
            f"a weight that is stored in few bits cannot be viewed as {tuple(size)}; dequantize() copies it"
        )
    return _detach(weight)


_AS_IT_IS: dict[Any, Callable[..., Any]] = {
    aten.detach.default: _detach,
    aten.clone.default: _clone,
    aten.view.default: _view,
    aten._to_copy.default: _to,
    aten.copy_.default: _copy,
}


def _read(value: Any) -> Any:
    """Returns a structure in which weights are replaced by their copies in floating point."""
    if isinstance(value, QuantizedWeight):
        return value.dequantize()
    if isinstance(value, list | tuple):
        return type(value)(map(_read, value))
    return {key: _read(each) for key, each in value.items()} if isinstance(value, dict) else value


class _Linear(torch.autograd.Function):
    """A linear layer that holds on to the codes of its weight only."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Returns what the layer returns."""
        ctx.save_for_backward(inputs, weight)
        ctx.has_bias = bias is not None
        return functional.linear(inputs, _read(weight).to(inputs.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Returns the gradients of inputs, weight and bias, which may be differentiated again."""
        inputs, weight = ctx.saved_tensors
        grad = grads[0]
        for_inputs = _applied(_Transposed, grad, weight) if ctx.needs_input_grad[0] else None
        for_weight = _outer(grad, inputs).to(weight.dtype) if ctx.needs_input_grad[1] else None
        return for_inputs, for_weight, _rows(grad).sum(0) if ctx.has_bias else None


class _Transposed(torch.autograd.Function):
    """The same the other way, which takes gradients back through the layer."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, weight: Tensor) -> Tensor:
        """Returns the gradient of the layer's inputs."""
        ctx.save_for_backward(grad, weight)
        made: Tensor = grad @ _read(weight).to(grad.dtype)
        return made

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Returns the gradients of the gradient and of the weight."""
        grad, weight = ctx.saved_tensors
        against = grads[0]
        for_grad = _applied(_Linear, against, weight, None) if ctx.needs_input_grad[0] else None
        return for_grad, _outer(grad, against).to(weight.dtype) if ctx.needs_input_grad[1] else None


def _applied(function: type[torch.autograd.Function], *args: Any) -> Any:
    return function.apply(*args)  # type: ignore[no-untyped-call]  # torch has no types


def _rows(values: Tensor) -> Tensor:
    return values.flatten(0, -2) if values.ndim > 1 else values[None]


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Returns the sum of the outer products of rows."""
    rows = _rows(left)
    return rows.T @ right.reshape(len(rows), -1)


def _linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    kind = inputs.device.type
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        inputs, bias = inputs.to(dtype), None if bias is None else bias.to(dtype)
    with torch.autocast(kind, enabled=False):
        return _applied(_Linear, inputs, weight, bias)


def quantized_parameter(weight: Tensor, bits: int = 8, group_size: int = 256) -> nn.Parameter:
    """Returns a parameter that stores a weight in few bits, rounded to the nearest."""
    quantized = quantize_affine(weight, bits, group_size)
    return nn.Parameter(QuantizedWeight(quantized, weight.dtype), requires_grad=weight.requires_grad)


torch.serialization.add_safe_globals([QuantizedWeight])
