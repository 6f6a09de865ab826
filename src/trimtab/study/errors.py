"""What can be wrong with an input, said once, so that the command line can tell it from a fault of ours."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self


class InputError(ValueError):
    """Something that the user gave cannot work; the message names the place and the remedy."""


class SeveralFaultsError(InputError):
    """Several things cannot work.

    Args:
        messages: one for each.
    """

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = tuple(messages)


class Faults:
    """Gathers what is wrong with an input, so that all of it is said at once.

    Use it as a context, several times, around what may raise :class:`InputError`; :meth:`raise_any` comes last.
    """

    def __init__(self) -> None:
        self._errors: list[InputError] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, InputError):
            self._errors.append(error)
            return True
        return False

    @property
    def any(self) -> bool:
        """Whether something was gathered."""
        return bool(self._errors)

    def raise_any(self) -> None:
        """Raises what was gathered, if something was.

        Raises:
            InputError: the only one as it was, or one that says all of them.
        """
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise SeveralFaultsError(tuple(dict.fromkeys(m for error in self._errors for m in messages_of(error))))


def messages_of(error: InputError) -> tuple[str, ...]:
    """Returns what is wrong, one thing after the other."""
    return error.messages if isinstance(error, SeveralFaultsError) else (str(error),)


class StudyMismatchError(InputError):
    """A store holds the results of another study than the one asked for."""


class NoStudyError(StudyMismatchError):
    """There is no study where one was to be read."""


class CorruptStoreError(InputError):
    """A store is there, but cannot be read."""


class StoreInUseError(InputError):
    """Another process is writing to the same study."""


class StoreUnreachableError(InputError):
    """The database or file that a study is to be kept in does not answer, or refuses us."""


class StoreAwayError(ConnectionError):
    """A database that was open does not answer now; what was asked of it can be asked again."""


class StoreLostError(RuntimeError):
    """A database stayed away for longer than a study was told to wait."""


class UnfitWorkerError(InputError):
    """A worker cannot run any trial, because its machine lacks something, or what all candidates need cannot be made.

    It is no trial's fault, and recorded for none.
    """


class UnwritableError(RuntimeError):
    """A file of results cannot be written, because the disk is full, read-only or gone."""


class DivergedError(ArithmeticError):
    """A loss stopped being a finite number.

    Args:
        step: optimizer steps taken when it was seen.
        loss: the value itself, ``inf`` or ``nan``.
    """

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"the loss was {loss} at step {step}")
        self.step = step
        self.loss = loss
