"""Packages whose own `__init__` is left out.

Some libraries import far more than their schedules need, and more than installs beside one torch.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def bare(package: str) -> ModuleType:
    """Put a package in `sys.modules` without running its `__init__`; its modules then import as ever.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    found = find_spec(package)
    if found is None or found.submodule_search_locations is None:
        raise ModuleNotFoundError(package)
    spec = ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = found.submodule_search_locations
    module = module_from_spec(spec)
    sys.modules[package] = module
    return module
