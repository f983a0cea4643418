"""`lrkeeper serve` as a process: how it starts, and where it refuses to."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from lrkeeper import Client
from tests.support import ledger
from tests.support.server import free_port
from tests.support.serving import ANY_PORT, refusal, serving, url


def test_port_0_is_any_free_port_and_the_line_says_which(tmp_path: Path) -> None:
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(tmp_path / "runs")) as server:
        host, _, port = server.address.rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0
        with Client(server.address) as client:
            assert client.get_server().database == "sqlite"


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket must be short
        listen = f"unix:{folder}/lrkeeper"
        with serving(tmp_path, "--listen", listen, "--database-url", url(tmp_path / "runs")) as server:
            assert server.address == listen
            with Client(listen) as client:
                assert client.get_server().database == "sqlite"


def test_the_environment_names_address_and_database(tmp_path: Path) -> None:
    listen, database = f"127.0.0.1:{free_port()}", tmp_path / "named.sqlite3"
    with serving(tmp_path, LRKEEPER_LISTEN=listen, LRKEEPER_DATABASE_URL=url(database)) as server:
        assert server.address == listen
        assert database.exists()


def test_options_win_over_the_environment(tmp_path: Path) -> None:
    variables = {"LRKEEPER_LISTEN": "nowhere", "LRKEEPER_DATABASE_URL": url(tmp_path / "other")}
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(tmp_path / "runs"), **variables):
        assert (tmp_path / "runs").exists()
        assert not (tmp_path / "other").exists()


def test_without_a_word_the_database_is_in_the_users_data_directory(tmp_path: Path) -> None:
    with serving(tmp_path, "--listen", ANY_PORT, XDG_DATA_HOME=str(tmp_path / "data")):
        assert ledger.read_copy(tmp_path / "data" / "lrkeeper" / "lrkeeper.sqlite3").runs == {}


def test_a_second_server_on_the_file_refuses_to_start(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite3"
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(database)) as server:
        second = refusal("--listen", ANY_PORT, "--database-url", url(database))
        assert second.returncode == 1
        (line,) = second.stderr.splitlines()
        assert line.startswith(f"Error: another lrkeeper server has {database} open")
        with Client(server.address) as client:
            client.get_server()


def test_a_second_server_on_the_file_by_another_name_refuses_to_start(tmp_path: Path) -> None:
    database, link = tmp_path / "runs.sqlite3", tmp_path / "link.sqlite3"
    link.symlink_to(database)
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(database)):
        second = refusal("--listen", ANY_PORT, "--database-url", url(link))
        assert second.returncode == 1
        assert second.stderr.startswith(f"Error: another lrkeeper server has {link} open")


def test_the_file_is_free_again_once_its_server_was_killed(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite3"
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(database)) as server:
        server.process.kill()
        server.process.wait()
        with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(database)):
            pass


def test_a_second_server_on_the_port_refuses_to_start(tmp_path: Path) -> None:
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(tmp_path / "first")) as server:
        second = refusal("--listen", server.address, "--database-url", url(tmp_path / "second"))
        assert second.returncode == 1
        (line,) = [line for line in second.stderr.splitlines() if line.startswith("Error")]
        assert line == f"Error: cannot listen on {server.address}: is another process using it?"
        with Client(server.address) as client:
            client.get_server()


def test_a_second_server_on_a_unix_socket_refuses_to_start(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        listen = f"unix:{folder}/lrkeeper"
        with serving(tmp_path, "--listen", listen, "--database-url", url(tmp_path / "first")) as server:
            second = refusal("--listen", listen, "--database-url", url(tmp_path / "second"))
            assert second.returncode == 1
            assert f"Error: cannot listen on {listen}: another process serves there" in second.stderr
            with Client(listen) as client:
                client.get_server()
            server.process.kill()
            server.process.wait()
        with serving(tmp_path, "--listen", listen, "--database-url", url(tmp_path / "first")):
            pass  # the socket that a killed server left is no hindrance


@pytest.mark.parametrize("listen", ["127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:", "127.0.0.1", "nowhere"])
def test_an_address_without_a_port_is_refused(listen: str, tmp_path: Path) -> None:
    done = refusal("--listen", listen, "--database-url", url(tmp_path / "runs"))
    assert done.returncode == 2
    assert f"--listen is '{listen}'; it must be HOST:PORT, the port from 0 to 65535" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "some-host:0", ":0"])
def test_an_address_that_others_reach_is_refused_without_insecure(listen: str, tmp_path: Path) -> None:
    done = refusal("--listen", listen, "--database-url", url(tmp_path / "runs"))
    assert done.returncode == 2
    assert f"Error: {listen} can be reached from other machines" in done.stderr
    assert "--insecure" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_insecure_allows_an_address_that_others_reach(tmp_path: Path) -> None:
    options = ("--listen", "0.0.0.0:0", "--insecure", "--database-url", url(tmp_path / "runs"))
    with serving(tmp_path, *options) as server:
        host, _, port = server.address.rpartition(":")
        assert host == "0.0.0.0"
        with Client(f"127.0.0.1:{port}") as client:
            client.get_server()
