"""What can go wrong with a lake; each error names the path or partition and says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from spymaster.errors import SpymasterError


class LakeError(SpymasterError):
    """Base of everything that can be wrong with a lake."""


class LakeNotFoundError(LakeError):
    """The root is not a lake."""


class CorruptLakeError(LakeError):
    """`_LAKE.json` cannot be read."""


class UnsupportedLakeRootError(LakeError):
    """The root is not a path of a local or mounted file system."""


class LakeKindError(LakeError):
    """Real and simulated data would meet under one root, or in one partition."""


class LakeLockedError(LakeError):
    """Another process or thread is writing this partition."""


class LakeFullError(LakeError):
    """The disk (or a quota) is full. What was stored before is untouched."""


class MissingPartitionError(LakeError):
    """No such partition."""


class CorruptPartitionError(LakeError):
    """The file of a partition cannot be read, or carries no manifest."""


class SchemaDriftError(LakeError):
    """A stored partition does not have the columns its table has today."""


class UnknownColumnError(LakeError):
    """A table has no such column."""


class InvalidKeyError(LakeError):
    """A symbol that cannot be part of a path."""


class DenseFormError(LakeError):
    """The dense form of a wall cannot be told from what is there."""


class WriterStateError(LakeError):
    """A partition writer was used outside its `with` block or after its commit."""


class ManifestValueError(LakeError):
    """A value handed to the manifest is not JSON data."""


class RawFileExistsError(LakeError):
    """A different raw file of the same name is already stored; raw files are never replaced."""


class InvalidRawNameError(LakeError):
    """The name of a raw file does not tell its date, or tells two."""


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def full_disk_named(what: str) -> Iterator[None]:
    """Turn an `OSError` that means 'no space' (disk, quota, file size limit) into a `LakeFullError` naming `what`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise LakeFullError(
            f"no space to write {what}: {error.strerror}",
            hint="Free some space (`spymaster clean` removes leftovers) and run it again; what was there is untouched.",
        ) from error
