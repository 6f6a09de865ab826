"""What can be wrong with an input, said once, so that the command line can tell it from a fault of ours."""


class InputError(ValueError):
    """Something that the user gave cannot work; the message names the place and the remedy."""


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
    """A worker cannot run any trial, because its machine lacks something: no trial's fault, and recorded for none."""


class UnwritableError(RuntimeError):
    """A file of results cannot be written, because the disk is full, read-only or gone."""


class DivergedError(ArithmeticError):
    """A loss stopped being a finite number.

    Args:
        step: optimizer steps taken when it was seen.
        loss: the value itself, ``inf`` or ``nan``.
    """

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"the loss was {loss} after {step} steps")
        self.step = step
        self.loss = loss
