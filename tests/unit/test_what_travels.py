"""What may cross the wire: numbers and texts by their names. No code, no pickle, no name of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

from lrkeeper.v1 import (
    run_pb2,
    run_service_pb2,
    schedule_pb2,
    schedule_service_pb2,
    server_service_pb2,
    values_pb2,
)

_MODULES = (run_pb2, run_service_pb2, schedule_pb2, schedule_service_pb2, server_service_pb2, values_pb2)
FILES: tuple[FileDescriptor, ...] = tuple(module.DESCRIPTOR for module in _MODULES)


def messages(found: Descriptor) -> Iterator[Descriptor]:
    yield found
    for nested in found.nested_types:
        yield from messages(nested)


FIELDS: dict[str, FieldDescriptor] = {
    field.full_name: field
    for file in FILES
    for outermost in file.message_types_by_name.values()
    for message in messages(outermost)
    for field in message.fields
}


def test_the_only_bytes_are_columns_of_numbers() -> None:
    opaque = {name for name, field in FIELDS.items() if field.type == FieldDescriptor.TYPE_BYTES}
    assert opaque == {"lrkeeper.v1.Values.columns"}


def test_messages_hold_messages_of_ours_and_times_and_nothing_that_could_be_anything() -> None:
    others = {
        field.message_type.full_name
        for field in FIELDS.values()
        if field.message_type is not None and field.message_type.file not in FILES
    }
    assert others == {"google.protobuf.Timestamp"}


def test_no_field_is_the_name_of_a_file_a_module_or_a_class() -> None:
    suspicious = re.compile(r"file|path|module|class|function|import|pickle|url", re.IGNORECASE)
    assert [name for name, field in FIELDS.items() if suspicious.search(field.name)] == []
