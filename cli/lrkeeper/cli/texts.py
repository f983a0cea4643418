"""What a text of YAML or JSON holds."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any


def parse(text: str, path: str) -> Any:
    """Return what JSON or YAML holds; `path` tells which it is, by its ending. Raises ValueError.

    A key that stands twice in one mapping is refused: YAML and JSON would take the last one.
    """
    import yaml

    try:
        if PurePath(path).suffix == ".json":
            return _json(text)
        try:
            return _json(text)  # YAML takes most of JSON, not tabs
        except json.JSONDecodeError:
            return _yaml(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{where}{error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("is nested too deep") from None


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} stands here twice")
        found[key] = value
    return found


def _yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses keys that stand twice; a merge (`<<`) gives way to them."""

        def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
            node: yaml.MappingNode = super().compose_mapping_node(anchor)
            seen: set[tuple[str, str]] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"{key.value!r} stands here twice", problem_mark=key.start_mark
                    )
                seen.add((key.tag, key.value))
            return node

    return yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader
