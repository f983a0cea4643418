"""The built package, installed as users install it: what is in it, what it needs, what it says is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.server import ServerProcess

PROJECT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
CONSTRAINTS = ("--constraint", str(PROJECT / "constraints.txt"))
LOWEST = [
    pin.replace(">=", "==").partition(",")[0]
    for pin in PYPROJECT["project"]["dependencies"]
    if re.match("grpcio|protobuf", pin)
]
IMPORT_ALL_GENERATED_CODE = """
import importlib, pathlib, lrkeeper.v1
names = [path.stem for path in pathlib.Path(list(lrkeeper.v1.__path__)[0]).glob("*_pb2*.py")]
assert len(names) > 7, names
for name in names:
    importlib.import_module("lrkeeper.v1." + name)
import google.protobuf
print(google.protobuf.__version__)
"""


class Environment:
    """A fresh virtual environment."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.bin = folder / "bin"

    def install(self, *what: str) -> None:
        pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
        subprocess.run([*pip, "--python", str(self.bin / "python"), "install", *what], check=True)

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / command), *arguments], capture_output=True, text=True, check=False, cwd="/"
        )

    def python(self, program: str) -> str:
        """Run a program that must succeed; return what it prints."""
        result = self.run("python", "-c", program)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()


@pytest.fixture(scope="module")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Environment]:
    return lambda name: Environment(tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def sources() -> set[str]:
    """The files of all portions, by their paths in the package."""
    return {
        path.relative_to(PROJECT / root).as_posix()
        for root in PYPROJECT["tool"]["hatch"]["build"]["dev-mode-dirs"]
        for path in (PROJECT / root / "lrkeeper").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(
    sources: set[str],  # listed first
    make_environment: Callable[[str], Environment],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The wheel, built from the unpacked sdist, so that the sdist is known to be complete."""
    builder = make_environment("builder")
    builder.install(*PYPROJECT["build-system"]["requires"])
    folder = tmp_path_factory.mktemp("built")
    build = [str(builder.bin / "python"), "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run([*build, "--target", "sdist"], cwd=PROJECT, check=True)
    (sdist,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(sdist, folder)
    subprocess.run([*build, "--target", "wheel"], cwd=folder / sdist.name.removesuffix(".tar.gz"), check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def bare(make_environment: Callable[[str], Environment], wheel: Path) -> Environment:
    """`pip install lrkeeper`."""
    environment = make_environment("bare")
    environment.install(*CONSTRAINTS, str(wheel))
    return environment


@pytest.fixture(scope="module")
def commands(make_environment: Callable[[str], Environment], wheel: Path) -> Environment:
    """`pip install lrkeeper[cli]`."""
    environment = make_environment("commands")
    environment.install(*CONSTRAINTS, f"{wheel}[cli]")
    return environment


@pytest.fixture(scope="module")
def serving(make_environment: Callable[[str], Environment], wheel: Path) -> Environment:
    """`pip install lrkeeper[server,cli]`, as the container image has it."""
    environment = make_environment("serving")
    environment.install(*CONSTRAINTS, f"{wheel}[server,cli]")
    return environment


def test_the_pins_are_exact_and_name_no_index() -> None:
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert "torch" in {pin.partition("==")[0] for pin in pins}
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    assert pins == sorted(pins, key=str.upper)


def test_the_wheel_has_every_file_of_every_portion(sources: set[str], wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == sources


@pytest.mark.parametrize(
    "name",
    [
        "lrkeeper/py.typed",
        "lrkeeper/cli/py.typed",
        "lrkeeper/migrations/py.typed",
        "lrkeeper/migrations/script.py.mako",
        "lrkeeper/migrations/versions/0001_first.py",
        "lrkeeper/schedules/py.typed",
        "lrkeeper/server/py.typed",
        "lrkeeper/v1/py.typed",
        "lrkeeper/v1/run_service.proto",
    ],
)
def test_the_wheel_has_what_is_not_found_by_import(wheel: Path, name: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert name in archive.namelist()


def test_the_bare_client_needs_neither_torch_nor_sqlalchemy(bare: Environment) -> None:
    found = bare.python(
        "import importlib.util, sys\n"
        "from lrkeeper import Client, LrkeeperError, errors, schedules\n"
        "import lrkeeper.local, lrkeeper.messages\n"
        "print(*[n for n in ('torch', 'numpy', 'sqlalchemy', 'alembic', 'click', 'structlog')\n"
        "        if n in sys.modules or importlib.util.find_spec(n)])"
    )
    assert found == ""


def test_the_command_without_its_extra_names_it_in_one_line(bare: Environment) -> None:
    result = bare.run("lrkeeper")
    assert result.returncode != 0
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "lrkeeper[cli]" in line


@pytest.mark.parametrize("name", ["RemoteLR", "lr_scheduler"])
def test_a_torch_name_without_torch_names_the_extra_in_one_line(bare: Environment, name: str) -> None:
    said = bare.python(
        f"try:\n    from lrkeeper import {name}\nexcept ImportError as error:\n    print(error)"
    )
    (line,) = said.splitlines()
    assert "lrkeeper[torch]" in line


def test_a_client_without_a_server_names_the_variable(bare: Environment) -> None:
    said = bare.python(
        "from lrkeeper import Client, errors\n"
        "try:\n    Client()\nexcept errors.NotConfigured as error:\n    print(error)"
    )
    (line,) = said.splitlines()
    assert "LRKEEPER_SERVER" in line


def test_serving_without_its_extra_names_it_in_one_line(commands: Environment) -> None:
    result = commands.run("lrkeeper", "serve", "--listen", "127.0.0.1:0")
    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    assert "lrkeeper[server]" in line


def test_an_installed_server_answers_an_installed_client(
    serving: Environment, bare: Environment, tmp_path: Path
) -> None:
    command = (str(serving.bin / "lrkeeper"),)
    with ServerProcess(tmp_path / "runs.sqlite3", log=tmp_path / "log", command=command) as server:
        assert bare.python(ask(server.address)) == f"{PYPROJECT['project']['version']} sqlite"


def test_generated_code_imports_with_the_newest_protobuf(bare: Environment) -> None:
    assert bare.python(IMPORT_ALL_GENERATED_CODE).startswith("7.")


def test_generated_code_imports_with_the_lowest_protobuf_and_grpcio(
    make_environment: Callable[[str], Environment], wheel: Path, server: ServerProcess
) -> None:
    lowest = make_environment("lowest")
    lowest.install(str(wheel), *LOWEST)
    assert lowest.python(IMPORT_ALL_GENERATED_CODE) == "6.31.1"
    assert lowest.python(ask(server.address)).endswith("sqlite")


def ask(address: str) -> str:
    """Return a program that asks a server about itself."""
    return (
        "from lrkeeper import Client\n"
        f"with Client({address!r}) as client:\n    about = client.get_server()\n"
        "print(about.version, about.database)"
    )
