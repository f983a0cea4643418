"""What the container files say holds; their commands are run as processes, since no engine is needed for that."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lrkeeper.cli.serve import serve
from tests.support.server import free_port

if TYPE_CHECKING:
    from tests.support.databases import PostgresDatabase

pytest_plugins = ("tests.support.databases",)

PROJECT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
PORT = "50051"


def instructions(name: str) -> list[str]:
    """Return the arguments of one kind of instruction in the Dockerfile, in order."""
    text = re.sub(r"^#.*\n", "", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [" ".join(rest) for first, *rest in map(str.split, filter(None, lines)) if first == name]


def exec_form(name: str) -> list[str]:
    """Return the words of the only instruction of a kind, after its options."""
    (argument,) = instructions(name)
    words: list[str] = json.loads(argument[argument.index("[") :])
    return words


def variables() -> dict[str, str]:
    (line,) = instructions("ENV")
    return dict(pair.split("=", 1) for pair in line.split())


def run(command: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the image to its end, with this environment's `lrkeeper`."""
    return subprocess.run(command, env={**here(), **environment}, capture_output=True, text=True, check=False)


@contextmanager
def serving(command: Sequence[str], announced: str, **environment: str) -> Iterator[None]:
    """Run a command of the image until the block ends; within, it serves."""
    with subprocess.Popen(
        command,
        env={**here(), **variables(), **environment, "PATH": here()["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == f"listening on {announced}\n"
            yield
        finally:
            process.terminate()
        assert process.wait() == 0


def here() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_the_images_are_glibc_ones() -> None:
    bases = {argument.split()[0] for argument in instructions("FROM")}
    assert bases
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases)


def test_the_image_is_built_with_the_pins_and_extras_of_the_project() -> None:
    (install,) = (line for line in instructions("RUN") if "pip install" in line)
    assert "--constraint constraints.txt" in install
    extras = re.search(r"'\.\[(.+)\]'", install)
    assert extras
    assert (
        set(extras[1].split(",")) == {"server", "cli"} <= set(PYPROJECT["project"]["optional-dependencies"])
    )


def test_every_dependency_of_the_image_has_a_pin() -> None:
    pins = re.findall(r"^([\w.-]+)==[\w.]+$", (PROJECT / "constraints.txt").read_text(), re.MULTILINE)
    pinned = {canonical(name) for name in pins}
    project = PYPROJECT["project"]
    asked = [
        project["dependencies"],
        *(project["optional-dependencies"][extra] for extra in ("server", "cli")),
    ]
    for requirement in (requirement for group in asked for requirement in group):
        assert canonical(re.split(r"[^\w.-]", requirement)[0]) in pinned


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_image_does_not_run_as_root() -> None:
    (user,) = instructions("USER")
    assert int(user.split(":")[0]) > 0


def test_the_data_lies_in_the_volume() -> None:
    (volume,) = instructions("VOLUME")
    assert variables()["LRKEEPER_DATABASE_URL"].startswith(f"sqlite:///{volume}/")


def test_the_port_of_the_image_is_the_servers_default() -> None:
    default = next(option.default for option in serve.params if option.name == "listen")
    assert variables()["LRKEEPER_SERVER"] == default
    assert instructions("EXPOSE") == [PORT]
    assert str(default).endswith(f":{PORT}")


def test_nothing_gets_into_the_image_but_what_the_package_is_built_from() -> None:
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    roots = PYPROJECT["tool"]["hatch"]["build"]["dev-mode-dirs"]
    assert let_in == {"LICENSE", "README.md", "constraints.txt", "pyproject.toml", *roots}


def test_the_images_command_serves_and_its_health_check_sees_it(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    check = exec_form("HEALTHCHECK")
    with serving(
        exec_form("ENTRYPOINT") + exec_form("CMD"),
        address,
        LRKEEPER_LISTEN=address,
        LRKEEPER_DATABASE_URL=f"sqlite:///{tmp_path}/lrkeeper.sqlite3",
    ):
        healthy = run(check, LRKEEPER_SERVER=address)
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert run(check, LRKEEPER_SERVER=address).returncode == 1


def test_the_commands_of_the_composition_work_on_postgresql(postgres_database: PostgresDatabase) -> None:
    port = free_port()
    entry = exec_form("ENTRYPOINT")
    database = {"LRKEEPER_DATABASE_URL": postgres_database.url}
    for _ in range(2):  # it runs at every `up`
        upgraded = run(entry + SERVICES["migrate"]["command"], **database)
        assert upgraded.returncode == 0, upgraded.stderr
    assert postgres_database.rows("SELECT count(*) FROM runs") == [(0,)]
    command = [word.replace(PORT, str(port)) for word in SERVICES["server"]["command"]]
    with serving(entry + command, f"0.0.0.0:{port}", **database):
        healthy = run(exec_form("HEALTHCHECK"), LRKEEPER_SERVER=f"127.0.0.1:{port}")
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert "postgresql" in healthy.stdout


def test_the_server_waits_for_the_migration_and_that_for_the_database() -> None:
    assert SERVICES["server"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert SERVICES["migrate"].get("restart", "no") == "no"


def test_only_this_machine_reaches_the_composition() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published == [f"127.0.0.1:{PORT}:{PORT}"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_password_comes_from_the_environment_and_must_be_there(service: str) -> None:
    environment = SERVICES[service]["environment"]
    passwords = [value for name, value in environment.items() if "PASSWORD" in name]
    assert passwords
    assert all(password.startswith("${POSTGRES_PASSWORD:?") for password in passwords)


def test_the_composition_names_its_database_alike_everywhere() -> None:
    url = SERVICES["server"]["environment"]["LRKEEPER_DATABASE_URL"]
    database = SERVICES["postgres"]["environment"]
    assert url == f"postgresql://{database['POSTGRES_USER']}@postgres/{database['POSTGRES_DB']}"
    assert SERVICES["migrate"]["environment"] == SERVICES["server"]["environment"]
