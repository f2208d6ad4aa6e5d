"""Contract 7.7: faults, whether they take effect, and which calls they strike."""

import threading
import time

import pytest
import requests

from simulator.testing import ControlError

WRITE = ("POST", "users/", {"custom_id": "c-1"})


# Answers


@pytest.mark.parametrize("status", [500, 502, 504])
def test_server_errors_are_html(sim, api, status):
    sim.fault(status)
    answer = api(*WRITE)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert sim.contacts() == []
    assert api(*WRITE).status_code == 201


@pytest.mark.parametrize("retry_after", [7, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_429_with_retry_after(sim, api, retry_after):
    sim.fault("429", retry_after=retry_after)
    answer = api(*WRITE)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == str(retry_after)
    assert answer.json()["detail"].startswith("Request was throttled.")
    assert sim.contacts() == []


def test_429_without_retry_after(sim, api):
    sim.fault("429")
    answer = api(*WRITE)
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("status", [401, 403])
def test_key_refused_in_the_middle(sim, api, status):
    sim.fault(status, after=1)
    assert [api.get("users/").status_code for _ in range(3)] == [200, status, 200]


def test_redirect(sim, api):
    sim.fault("redirect", location="https://evil.example/")
    answer = api(*WRITE)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://evil.example/")
    assert sim.contacts() == []


def test_not_json(sim, api):
    sim.fault("not_json")
    answer = api.get("users/")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_empty(sim, api):
    sim.fault("empty")
    answer = api(*WRITE)
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(sim.contacts()) == 1


def test_half_an_answer(sim, api):
    sim.fault("half")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        api(*WRITE)
    assert len(sim.contacts()) == 1


def test_slow(sim, api):
    sim.fault("slow", delay=0.15)
    start = time.monotonic()
    assert api(*WRITE).status_code == 201
    assert time.monotonic() - start >= 0.15


def test_null_lists_once(sim, api):
    user = sim.add_contact(tags=["vip"])
    sim.fault("null_lists")
    assert api.user(user["id"])["tags"] is None
    assert api.user(user["id"])["tags"] is not None


def test_array_values_once(sim, api):
    user = sim.add_contact(attributes={"pet": "dog"})
    sim.fault("array_values")
    assert api.user(user["id"])["pet"] == ["dog"]
    assert api.user(user["id"])["pet"] == "dog"


def test_next_404_once(sim, api):
    sim.add_contact()
    sim.fault("next_404", times=2)
    url = api.get("users/").json()["next"]
    assert api.get(url).status_code == 404
    assert api.get("users/").json()["next"] is None


def test_duplicates_by_email(sim, api):
    for _ in range(2):
        sim.add_contact(email="jan@example.com")
    assert len(api.get("users/search/", email="jan@example.com", many="true").json()) == 2


# No answer


@pytest.mark.parametrize("commit, stored", [(False, 0), (True, 1)])
def test_timeout_before_and_after_commit(sim, api, commit, stored):
    sim.fault("timeout", commit=commit)
    with pytest.raises(requests.ReadTimeout):
        api(*WRITE, timeout=0.2)
    assert len(sim.contacts()) == stored
    assert sim.calls()[-1]["status"] is None


def test_a_timeout_ends_by_itself(sim, api):
    sim.fault("timeout", seconds=0.1)
    with pytest.raises(requests.ConnectionError):
        api(*WRITE)


@pytest.mark.parametrize("commit, stored", [(False, 0), (True, 1)])
def test_dropped_connection_before_and_after_commit(sim, api, commit, stored):
    sim.fault("drop", commit=commit)
    with pytest.raises(requests.ConnectionError):
        api(*WRITE)
    assert len(sim.contacts()) == stored


@pytest.mark.parametrize("kind", ["500", "504", "429", "not_json", "redirect"])
def test_any_fault_can_take_effect(sim, api, kind):
    sim.fault(kind, commit=True)
    assert api(*WRITE).status_code != 201
    assert len(sim.contacts()) == 1


# Hold


@pytest.fixture
def background():
    """Run something in a thread; gives a list that will hold what it gave or raised."""
    threads = []

    def run(function):
        got = []

        def work():
            try:
                got.append(function())
            except requests.RequestException as error:
                got.append(error)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return threads[-1], got

    yield run
    for thread in threads:
        thread.join(5)


@pytest.mark.parametrize("commit, stored", [(False, 0), (True, 1)])
def test_hold_until_released(sim, api, background, commit, stored):
    sim.fault("hold", commit=commit)
    thread, got = background(lambda: api(*WRITE))
    (held,) = sim.wait_held()
    assert (held["method"], held["path"]) == ("POST", "/users/")
    assert len(sim.contacts()) == stored
    assert got == []
    assert sim.release() == 1
    thread.join(5)
    assert got[0].status_code == 201
    assert len(sim.contacts()) == 1
    assert sim.held() == []


def test_hold_and_the_caller_is_gone(sim, api):
    """A server goes on with a request whose caller has died."""
    sim.fault("hold")
    with pytest.raises(requests.ReadTimeout):
        api(*WRITE, timeout=0.2)
    assert sim.contacts() == []
    sim.release()
    sim.until(sim.contacts)


def test_hold_and_cut_off(sim, api, background):
    sim.fault("hold")
    thread, got = background(lambda: api(*WRITE))
    sim.wait_held()
    sim.release(go_on=False)
    thread.join(5)
    assert isinstance(got[0], requests.ConnectionError)
    assert sim.contacts() == []


def test_the_control_interface_goes_on_meanwhile(sim, api, caller, background):
    sim.fault("hold")
    thread, _ = background(lambda: api(*WRITE))
    sim.wait_held()
    assert caller().get("users/").status_code == 200
    sim.release()
    thread.join(5)


# Which calls


def test_times_and_after(sim, api):
    sim.fault(500, times=2, after=1)
    assert [api.get("users/").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert sim.faults() == []


def test_without_end_until_cleared(sim, api):
    sim.fault(500, times=None)
    assert [api.get("users/").status_code for _ in range(4)] == [500] * 4
    sim.clear_faults()
    assert api.get("users/").status_code == 200


@pytest.mark.parametrize(
    "match",
    [
        {"method": "PUT"},
        {"method": "put"},
        {"path": "/users/:id/"},
        {"path_regex": r"^/users/1001/"},
        {"method": "PUT", "path_regex": "1001"},
    ],
)
def test_matching(sim, api, match):
    user = sim.add_contact()
    sim.fault(500, **match)
    assert api.get("users/").status_code == 200
    assert api.put(f"users/{user['id']}/", {}).status_code == 500


def test_matching_the_query(sim, api):
    sim.fault(500, path_regex="many=true")
    assert api.get("users/search/", email="a@example.com").status_code == 404
    assert api.get("users/search/", email="a@example.com", many="true").status_code == 500


def test_several_faults_strike_in_their_order(sim, api):
    sim.fault(500)
    sim.fault("429")
    sim.fault(504, method="DELETE")
    assert [api.get("users/").status_code for _ in range(3)] == [500, 429, 200]
    assert api.delete("users/1/").status_code == 504


def test_the_log_names_the_fault(sim, api):
    sim.fault(500)
    api.get("users/")
    api.get("users/")
    assert [(call["status"], call["fault"]) for call in sim.calls()] == [(500, "500"), (200, None)]


@pytest.mark.parametrize(
    "kind, more",
    [("nothing", {}), ("200", {}), ("500", {"colour": "red"}), ("500", {"path_regex": "("})],
)
def test_a_wrong_fault_is_refused(sim, kind, more):
    with pytest.raises(ControlError):
        sim.fault(kind, **more)
    assert sim.faults() == []
