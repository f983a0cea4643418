"""One table of errors, the same on both sides."""

from __future__ import annotations

import grpc

from lrkeeper import errors


def every(parent: type[BaseException]) -> set[type[BaseException]]:
    return {parent}.union(*(every(child) for child in parent.__subclasses__()))


def test_every_server_error_has_a_grpc_status() -> None:
    for cls in every(errors.ServerError) - {errors.ServerError}:
        assert issubclass(cls, errors.ServerError)
        assert hasattr(grpc.StatusCode, cls.status), f"{cls.__name__} has no status"


def test_no_client_error_has_one() -> None:
    for cls in every(errors.ClientError):
        assert issubclass(cls, errors.ClientError)
        assert cls.status == ""


def test_a_reason_finds_its_class() -> None:
    assert set(errors.REASONS) == {cls.__name__ for cls in every(errors.ServerError)} - {"ServerError"}
    assert all(errors.REASONS[reason].__name__ == reason for reason in errors.REASONS)


def test_details_are_texts() -> None:
    error = errors.RunFenced("held by another", fence=7)
    assert str(error) == "held by another"
    assert error.details == {"fence": "7"}
