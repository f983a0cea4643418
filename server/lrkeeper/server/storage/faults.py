"""What a failure of the database means to a caller."""

from __future__ import annotations

from lrkeeper.errors import ServerError, StorageFull, StorageUnavailable
from sqlalchemy.exc import SQLAlchemyError

_FULL = ("disk is full", "No space left", "could not extend file")


def storage_error(error: SQLAlchemyError) -> ServerError:
    """Return the error a caller gets; the database's own text stays in the log."""
    text = str(getattr(error, "orig", error))
    if any(words in text for words in _FULL):
        return StorageFull("the database has no room left; committed steps can still be read")
    return StorageUnavailable("the database does not answer; the request may be repeated")
