"""``python -m simulator`` and the state file."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from simulator.__main__ import main
from simulator.store import StateFileError
from simulator.testing import ControlClient, running_simulator

ROOT = Path(__file__).parents[2]
KEY = "k" * 64


@pytest.fixture
def start():
    running = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--port", "0", *arguments],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def address(process):
    line = process.stdout.readline()
    match = re.fullmatch(r"User\.com simulator listening on (http://127\.0\.0\.1:\d+)(.*)\n", line)
    assert match, line
    return match[1], match[2]


def test_process_with_options(start, tmp_path):
    process = start(
        "--key", KEY, "--key", f"{'r' * 64}:read", "--switch", "page_size=5",
        "--switch", "normalise", "--switch", "many_none=404",
    )  # fmt: skip
    url, rest = address(process)
    assert rest == ""
    sim = ControlClient(url)
    assert sim.key == KEY
    switches = sim.switches()
    assert (switches["page_size"], switches["normalise"]) == (5, True)
    headers = {"Authorization": f"Token {'r' * 64}"}
    assert requests.get(f"{sim.api_url}users/", headers=headers).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quietly(start, number):
    process = start()
    url, rest = address(process)
    assert rest.strip().endswith(ControlClient(url).key)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_held_request_does_not_keep_it(start):
    process = start("--key", KEY)
    url, _ = address(process)
    sim = ControlClient(url)
    sim.fault("timeout")
    with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as caller:
        caller.sendall(b"GET /api/public/users/ HTTP/1.1\r\nHost: x\r\n\r\n")
        sim.until(sim.calls)
        process.terminate()
        process.communicate(timeout=5)
    assert process.returncode == 0


def test_a_taken_port_is_told_in_one_sentence(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Cannot listen on 127.0.0.1 port {port}: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("switch", ["colour=red", "page_size=x", "page_size=0", "normalise=1"])
def test_a_wrong_switch_is_told_in_one_sentence(capsys, switch):
    assert main(["--port", "0", "--switch", switch]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "switch" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("--key", "k:admin"), ("--port", "x"), ("--colour",)])
def test_wrong_arguments_are_told(capsys, arguments):
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert end.value.code == 2
    assert "usage: python -m simulator" in capsys.readouterr().err


# The state file


def test_state_survives(tmp_path, receiver):
    path = tmp_path / "state.json"
    with running_simulator(state=path) as sim:
        user = sim.add_contact(
            email="jan@example.com",
            city="Łódź",
            custom_id="c-1",
            tags=["vip"],
            attributes={"email_consent": True},
        )
        sim.set_webhook(receiver.url, headers={"X-Secret": "s"}, on=["new_user"])
        hooks = sim.webhooks()
        headers = {"Authorization": f"Token {sim.key}"}
        requests.post(
            f"{sim.api_url}companies/", json={"name": "Firma", "company_id": "g-1"}, headers=headers
        )
        requests.put(
            f"{sim.api_url}users/{user['id']}/", json={"company_id": "g-1"}, headers=headers
        )
        kept = (sim.contacts(), sim.companies(), sim.attributes())
    with running_simulator(state=path) as sim:
        assert (sim.contacts(), sim.companies(), sim.attributes()) == kept
        assert sim.webhooks() == hooks
        assert sim.contacts()[0]["companies"] == [sim.companies()[0]["id"]]
        assert sim.add_contact()["id"] == user["id"] + 1


def test_state_is_written_soon_after_a_change_by_the_api(tmp_path):
    path = tmp_path / "state.json"
    with running_simulator(state=path) as sim:
        headers = {"Authorization": f"Token {sim.key}"}
        requests.post(f"{sim.api_url}users/", json={"user_id": "c-1"}, headers=headers)
        sim.until(lambda: json.loads(path.read_text())["account"]["users"])
        assert [item.name for item in tmp_path.iterdir()] == ["state.json"]


def test_a_killed_process_leaves_a_whole_file(start, tmp_path):
    path = tmp_path / "state.json"
    process = start("--key", KEY, "--state", str(path))
    sim = ControlClient(address(process)[0])
    for number in range(30):
        sim.add_contact(email=f"u{number}@example.com")
    sim.until(lambda: json.loads(path.read_text())["account"]["users"])
    process.kill()
    process.communicate()
    with running_simulator(state=path) as again:
        assert len(again.contacts()) <= 30


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"account": {"users": 5}, "webhooks": []}', "\x00\x01"]
)
def test_a_corrupt_file_is_refused(tmp_path, text):
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(StateFileError, match="holds no state"), running_simulator(state=path):
        pass
    assert path.read_text() == text


def test_a_corrupt_file_is_told_in_one_sentence(capsys, tmp_path):
    path = tmp_path / "state.json"
    path.write_text("{")
    assert main(["--port", "0", "--state", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"The state file {path} holds no state of this simulator;")
    assert err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_told(capsys, tmp_path):
    assert main(["--port", "0", "--state", str(tmp_path / "no such folder" / "state.json")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Cannot write the state file ")
    assert err.count("\n") == 1


def test_reset_empties_the_file(tmp_path):
    path = tmp_path / "state.json"
    with running_simulator(state=path) as sim:
        sim.add_contact()
        sim.reset()
    assert json.loads(path.read_text())["account"]["users"] == []
    assert [item.name for item in tmp_path.iterdir()] == ["state.json"]
