"""The generated code is what the protos give, and the protos are clean; and the check can say otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

PROJECT = Path(__file__).parents[2]


def generate(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the generator; it makes its own environment if that is not there."""
    return subprocess.run(
        ["scripts/generate.sh", *options],
        cwd=project,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def checked() -> subprocess.CompletedProcess[str]:
    """What the check says of the project. Test processes wait for the one that makes the environment."""
    with FileLock(Path(tempfile.gettempdir(), f"lrkeeper-generate-{os.getuid()}.lock")):
        return generate(PROJECT, "--check")


@pytest.fixture
def copy(checked: subprocess.CompletedProcess[str], tmp_path: Path) -> Path:
    """A copy of the protos and their generated code, to be spoilt. It shares the generator."""
    for name in ("proto", "scripts"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "buf.yaml", tmp_path)
    (tmp_path / ".venv-generate").symlink_to(PROJECT / ".venv-generate")
    assert generate(tmp_path).returncode == 0
    assert generate(tmp_path, "--check").returncode == 0
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_committed_code_is_what_the_protos_give(checked: subprocess.CompletedProcess[str]) -> None:
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_proto_changed_without_its_code_is_reported(copy: Path) -> None:
    replace(
        copy / "proto/lrkeeper/v1/schedule.proto", "optional double gamma = 2;", "optional double gamma = 9;"
    )
    result = generate(copy, "--check")
    assert result.returncode == 1
    assert "schedule_pb2.py" in result.stdout
    assert "run 'make generate'" in result.stderr


def test_a_proto_without_its_code_is_reported(copy: Path) -> None:
    (copy / "proto/lrkeeper/v1/values_pb2.pyi").unlink()
    result = generate(copy, "--check")
    assert result.returncode == 1
    assert "values_pb2.pyi" in result.stdout


def test_a_badly_named_field_is_reported_by_buf(copy: Path) -> None:
    replace(copy / "proto/lrkeeper/v1/server_service.proto", "string version = 1;", "string Version = 1;")
    assert generate(copy).returncode == 0
    result = generate(copy, "--check")
    assert result.returncode != 0
    assert "lower_snake_case" in result.stdout + result.stderr
