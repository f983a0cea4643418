"""Checks who imports whom: the contracts of pyproject.toml.

import-linter reads a package from one folder, and lrkeeper's portions lie in several; it is given a copy in
which they are merged, as they are in the wheel.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from importlinter.cli import lint_imports

_PROJECT = Path(__file__).resolve().parent.parent


def merge(into: Path) -> None:
    """Copy the portions of the package into one folder, and make each of its folders a package."""
    with (_PROJECT / "pyproject.toml").open("rb") as file:
        roots = tomllib.load(file)["tool"]["hatch"]["build"]["dev-mode-dirs"]
    for root in roots:
        portion = _PROJECT / root / "lrkeeper"
        shutil.copytree(
            portion, into / "lrkeeper", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for folder in [into / "lrkeeper", *(into / "lrkeeper").rglob("*/")]:
        (folder / "__init__.py").touch()


def main() -> int:
    """Print the contracts kept and broken; return 0 if none is broken."""
    with TemporaryDirectory() as merged:
        merge(Path(merged))
        sys.path.insert(0, merged)
        return lint_imports(config_filename=str(_PROJECT / "pyproject.toml"), no_cache=True, no_logo=True)


if __name__ == "__main__":
    sys.exit(main())
