"""Checks that a group moves by what it says itself: ``torch.optim`` has settings by group."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trimtab.testing.configuring import SHORT, ConfigurationChecks, eventful_gradients, follow_events
from trimtab.testing.exceptions import require
from trimtab.testing.global_randomness import same_draws
from trimtab.testing.options import alternatives
from trimtab.testing.settings import WORDS
from trimtab.testing.support import REFUSALS, parameters, values

Ends = tuple[list[Tensor], list[Tensor]]
"""Where the parameters of two groups end."""


class GroupSettingChecks(ConfigurationChecks):
    """No group moves by another one's settings."""

    def test_group_settings(self) -> None:
        """Groups that say another number, and differ in nothing else, move differently; or that is refused by name.

        Only a number that makes a difference where the constructor is told it is held against a group.
        """
        heard: list[Mapping[str, Any]] = []
        ignored: list[Mapping[str, Any]] = []
        for tried in self.numbers_of_groups():
            found = next((each for told in tried for each in self.tried_of_a_group(told)), None)
            if found is not None:
                told, moves = found
                (heard if moves else ignored).append(told)
        said = " or ".join(f"{name}={value!r}" for told in ignored for name, value in told.items())
        require(not ignored, f"a group that says {said} moves like one that does not say so")
        if not heard:
            pytest.skip("no number that a group may say makes a difference")

    def numbers_of_groups(self) -> Iterator[list[dict[str, Any]]]:
        """Yields other values of each number that is a setting of groups; of several betas one is another at a time."""
        group = self.make(parameters(self.shapes)).param_groups[0]
        for name, value in self.defaults().items():
            if name not in group or not self.has(name):
                continue
            for tried in alternatives(name, value).values():
                yield [{name: other} for other in tried]

    def tried_of_a_group(self, told: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
        """Yields a setting and whether it moves the group that says so, if it makes a difference for all groups."""
        (name,) = told
        for beside in self.beside(told):
            try:
                usual, everywhere = self.ends_of_groups(beside), self.ends_of_groups({**beside, **told})
            except REFUSALS:
                continue
            if not any(alike(*each) for each in zip(usual, everywhere, strict=True)):
                try:
                    first, second = self.ends_of_groups(beside, told)
                except REFUSALS as error:
                    words = WORDS.get(name, (name, name.replace("_", " ")))
                    named = any(word.lower() in str(error).lower() for word in words)
                    require(named, f"{name}={told[name]!r} of one of two groups is refused without naming it: {error}")
                    yield told, True
                else:
                    # the second as ever: where what it says is not read, and both alike: where it is read for all
                    yield told, not (alike(second, usual[1]) or alike(second, first))

    def ends_of_groups(self, settings: Mapping[str, Any], of_second: Mapping[str, Any] | None = None) -> Ends:
        """Returns where steps lead two groups with the same parameters and gradients, whatever the second one says."""
        key, known = repr((sorted(settings.items()), of_second)), self.__dict__.setdefault("known_ends_of_groups", {})
        if key not in known:
            known[key] = self.steps_of_groups(settings, of_second or {})
        ends: Ends = known[key]
        return ends

    def steps_of_groups(self, settings: Mapping[str, Any], of_second: Mapping[str, Any]) -> Ends:
        """Takes the steps of :meth:`ends_of_groups`."""
        first, second = (parameters(self.more_shapes()) for _ in range(2))
        params: Sequence[nn.Parameter] = [*first, *second]
        with same_draws():
            optimizer = self.make([{"params": first}, {"params": second, **of_second}], **settings)
            follow_events(optimizer, params, [step * 2 for step in eventful_gradients(first, SHORT)])
        return values(first), values(second)


def alike(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Returns whether two lists of tensors are the same bit for bit."""
    return all(torch.equal(*each) for each in zip(one, other, strict=True))
