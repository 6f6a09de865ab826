"""The subspaces of an optimizer's matrices, saved and loaded together with the state of the rule in them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from trimtab.optim.galore.checks import projected_params
from trimtab.optim.galore.subspace import Subspace, coordinates_of
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.parameter_names import parameter_name
from trimtab.primitives.standing_in import stand_in, stood_in
from trimtab.primitives.wrapping import OptimizerWrapper, innermost


class SubspaceWrapper(OptimizerWrapper):
    """A wrapper that keeps a subspace for every matrix, among the inner optimizer's state of its parameter.

    What it consists of has names with the wrapper's prefix there, and is saved and loaded with the rest.
    """

    @property
    def svd_count(self) -> int:
        """Decompositions made so far, in all matrices."""
        return sum(subspace.decompositions for subspace in self.subspaces.values())

    @property
    def subspaces(self) -> dict[Tensor, Subspace]:
        """The present subspace of every matrix that has moved."""
        found = ((param, self._subspace(param)) for group in self.param_groups for param in group["params"])
        return {param: subspace for param, subspace in found if subspace is not None}

    def _subspace(self, param: Tensor) -> Subspace | None:
        own, _ = self._apart(self.state.get(param, {}))
        return Subspace.of(own, param) if own else None

    def _keep(self, param: Tensor, kept: Mapping[str, Any]) -> None:
        """Replaces what is kept of a matrix's subspace."""
        _, rest = self._apart(self.state[param])
        state = self.state[param]
        for name in state.keys() - rest.keys():
            del state[name]
        state.update(self._prefixed(kept))

    def _load(self, state: dict[str, Any]) -> None:
        members = [len(group["params"]) for group in self.param_groups]
        if [len(group["params"]) for group in state["param_groups"]] != members:
            self.inner.load_state_dict(state)  # says what is wrong with it
        entries: dict[Any, Any] = {}
        subspaces: dict[Tensor, tuple[Subspace, dict[str, Any]]] = {}
        for saved, group in zip(state["param_groups"], self.param_groups, strict=True):
            chosen = projected_params({**group, **saved, "params": group["params"]}, self._own(saved))
            for index, (key, param) in enumerate(zip(saved["params"], group["params"], strict=True)):
                own, entries[key] = self._apart(state["state"].get(key, {}))
                if entries[key] and bool(own) != (index in chosen):
                    was, now = ("a subspace", "the whole") if own else ("the whole", "a subspace")
                    raise ValueError(
                        f"the saved state of {parameter_name(group, index)} is of {was}, and {now} is moved"
                    )
                if own:
                    copies = {name: _placed(value, param) for name, value in own.items()}
                    subspaces[param] = Subspace.of(copies, param), copies
        stand_ins = {
            param: stand_in(coordinates_of(param.shape, subspace), param, working_dtype(param.dtype))
            for param, (subspace, _) in subspaces.items()
        }
        beside = {key: value for key, value in state["state"].items() if key not in entries}
        with stood_in(innermost(self.inner), stand_ins):
            rules = {key: entry for key, entry in entries.items() if entry}
            self.inner.load_state_dict({**state, "state": {**rules, **beside}})
        for param, (_, kept) in subspaces.items():
            self._keep(param, kept)

    def _apart(self, entry: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns a state in two parts: the wrapper's, without the prefix, and the rule's."""
        start = f"{self.prefix}_"
        own = {name.removeprefix(start): value for name, value in entry.items() if name.startswith(start)}
        return own, {name: value for name, value in entry.items() if not name.startswith(start)}


def _placed(value: Any, param: Tensor) -> Any:
    return value.detach().to(param.device, copy=True) if isinstance(value, Tensor) else value
