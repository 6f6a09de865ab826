"""The subspaces of an optimizer's matrices, saved and loaded together with the state of the rule in them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from trimtab.optim.galore_checks import projected_params
from trimtab.optim.subspace import Subspace, coordinates_of
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.refusals import parameter_name
from trimtab.primitives.standing_in import stand_in, stood_in
from trimtab.primitives.wrapping import OptimizerWrapper, innermost


class SubspaceWrapper(OptimizerWrapper):
    """A wrapper that keeps a subspace for every matrix, beside the inner optimizer's state.

    What is kept of a subspace is saved among the state of its parameter, under names with the wrapper's prefix.
    """

    _subspaces: dict[Tensor, Subspace]

    @property
    def svd_count(self) -> int:
        """Decompositions made so far, in all matrices."""
        return sum(subspace.decompositions for subspace in self._subspaces.values())

    @property
    def subspaces(self) -> Mapping[Tensor, Subspace]:
        """The present subspace of every matrix that has moved."""
        return dict(self._subspaces)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_subspaces": self._subspaces}

    def _saved(self) -> dict[str, Any]:
        saved = super()._saved()
        entries = dict(saved["state"])
        for index, param in enumerate(param for group in self.param_groups for param in group["params"]):
            if param in self._subspaces:
                own = self._prefixed(self._subspaces[param].saved())
                entries[index] = {**entries.get(index, {}), **own}
        return {**saved, "state": entries}

    def _load(self, state: dict[str, Any]) -> None:
        members = [len(group["params"]) for group in self.param_groups]
        if [len(group["params"]) for group in state["param_groups"]] != members:
            self.inner.load_state_dict(state)  # says what is wrong with it
        entries: dict[Any, Any] = {}
        subspaces: dict[Tensor, Subspace] = {}
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
                    subspaces[param] = Subspace.loaded(own, param)
        stand_ins = {
            param: stand_in(coordinates_of(param.shape, subspace), param, working_dtype(param.dtype))
            for param, subspace in subspaces.items()
        }
        with stood_in(innermost(self.inner), stand_ins):
            self.inner.load_state_dict({**state, "state": {key: entry for key, entry in entries.items() if entry}})
        self._subspaces = subspaces

    def _apart(self, entry: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns a saved state in two parts: the wrapper's, without the prefix, and the rule's."""
        start = f"{self.prefix}_"
        own = {name.removeprefix(start): value for name, value in entry.items() if name.startswith(start)}
        return own, {name: value for name, value in entry.items() if not name.startswith(start)}
