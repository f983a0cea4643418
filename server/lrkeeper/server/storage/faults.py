"""What a failure of the database means to a caller."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from lrkeeper.errors import ServerError, StorageFull, StorageUnavailable

_FULL = ("disk is full", "No space left", "could not extend file")


def is_disk_failure(error: SQLAlchemyError) -> bool:
    """Return whether SQLite could not read, write or sync its file.

    After a failed sync the system may have dropped what was to be written and say that the next one went
    well; so nothing may be tried again in this process.
    """
    return "disk I/O error" in str(getattr(error, "orig", error))


def storage_error(error: SQLAlchemyError) -> ServerError:
    """Return the error a caller gets; the database's own text stays in the log."""
    text = str(getattr(error, "orig", error))
    if any(words in text for words in _FULL):
        return StorageFull("the database has no room left; committed steps can still be read")
    return StorageUnavailable("the database does not answer; the request may be repeated")
