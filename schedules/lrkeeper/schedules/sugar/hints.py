"""What a misspelt word was meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def meant(word: Any, known: Iterable[str]) -> str | None:
    """Return the known word that a word resembles, if one does."""
    lowered = str(word).lower().replace("-", "_")[:80]
    found = get_close_matches(lowered, list(known), n=1, cutoff=0.7)
    return found[0] if found else None


def unknown(word: Any, known: Iterable[str]) -> str:
    """Return what is wrong with an unknown word, and what would be right."""
    names = list(known)
    near = meant(word, names)
    return f"is not known; what may stand here is {', '.join(names)}" + (
        f"; did you mean {near}?" if near else ""
    )
