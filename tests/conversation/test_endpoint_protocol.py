"""The client of OpenAI-compatible servers, against a real HTTP server on the loopback; and where an address lies."""

import socket
import threading
import time

import pytest
from pydantic import SecretStr

from engine.conversation.endpoint.address import base_address, is_on_this_machine
from engine.conversation.endpoint.client import MAX_BYTES, EndpointClient
from engine.core.errors import CohortStudioError, UserError
from tests.helpers.openai_server import openai_server

ASK = [{"role": "user", "content": "50 women"}]
KEY = SecretStr("sk-secret")


def test_models_completion_and_stream_speak_the_protocol() -> None:
    with openai_server(content='{"a": 1}', models=("tiny", "large")) as (address, server):
        client = EndpointClient(address, "tiny", key=KEY)
        assert client.models() == ["tiny", "large"]
        assert client.complete(ASK, max_tokens=50, json_schema={"type": "object"}) == '{"a": 1}'
        pieces: list[str] = []
        client.stream(ASK, max_tokens=40, tell=pieces.append)
    assert "".join(pieces).split() == ["Women", "over", "65."]
    listed, asked, streamed = server.received
    assert [listed["_path"], asked["_path"]] == ["/v1/models", "/v1/chat/completions"]
    assert {request["_key"] for request in server.received} == {"Bearer sk-secret"}
    assert (asked["model"], asked["messages"], asked["max_tokens"], asked["temperature"]) == ("tiny", ASK, 50, 0)
    assert asked["response_format"]["type"] == "json_schema"
    assert asked["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert streamed["stream"] is True
    assert "response_format" not in streamed


def test_without_a_key_no_header_is_sent() -> None:
    with openai_server() as (address, server):
        EndpointClient(address, "tiny").complete(ASK, max_tokens=5)
    assert server.received[0]["_key"] is None


def test_stream_arrives_in_pieces_while_it_is_written() -> None:
    with openai_server(explanation="a b c d", pause=0.15) as (address, _):
        arrived: list[float] = []
        EndpointClient(address, "tiny").stream(ASK, max_tokens=5, tell=lambda _: arrived.append(time.monotonic()))
    assert len(arrived) == 4
    assert arrived[-1] - arrived[0] > 0.3


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ({"status": 401}, r"refused the key \(401\).*COHORT_STUDIO_ENDPOINT_KEY"),
        ({"status": 403}, r"refused the key \(403\)"),
        ({"status": 404}, r"knows no model 'tiny'.*\(404\)"),
        ({"status": 400}, r"did not accept the request \(400\).*json_schema"),
        ({"status": 429}, r"busy \(429\)"),
        ({"status": 500}, r"failed \(500\)"),
        ({"status": 503}, r"failed \(503\)"),
        ({"status": 302, "headers": {"Location": "http://192.0.2.1/"}}, r"another address \(302\)"),
        ({"body": b"<html>login</html>"}, "did not answer in the OpenAI protocol"),
        ({"body": b""}, "did not answer in the OpenAI protocol"),
        ({"body": b'{"choices": []}'}, "did not answer in the OpenAI protocol"),
        ({"body": b'{"choices": [{"message": "text"}]}'}, "did not answer in the OpenAI protocol"),
        ({"body": b"[" * 100_000}, "did not answer in the OpenAI protocol"),
        ({"body": b"\xff\xfe\x00"}, "did not answer in the OpenAI protocol"),
        ({"content": "x" * (MAX_BYTES + 1)}, "longer than 1,000,000 bytes"),
        ({"finish": "length"}, "cut off before its end"),
        ({"content": None}, "gave no answer"),
        ({"content": ""}, "gave no answer"),
    ],
)
def test_what_a_server_can_do_wrong_is_said(behaviour: dict, says: str) -> None:
    with openai_server(**behaviour) as (address, server):
        with pytest.raises(CohortStudioError, match=f"(?s){says}") as caught:
            EndpointClient(address, "tiny", key=KEY).complete(ASK, max_tokens=5)
        assert len(server.received) == 1, "what a server has received is not sent again"
    assert "sk-secret" not in str(caught.value)


def test_a_slow_server_is_left_in_time_and_notices_it() -> None:
    with openai_server(explanation="word " * 100, pause=0.1) as (address, server):
        started = time.monotonic()
        with pytest.raises(CohortStudioError, match=r"no whole answer within 0\.5 seconds"):
            EndpointClient(address, "tiny", seconds=0.5).stream(ASK, max_tokens=5, tell=lambda _: None)
        assert time.monotonic() - started < 2
        assert server.left.wait(5), "the connection was closed"


def test_stop_ends_the_wait_at_once() -> None:
    stop = threading.Event()
    with openai_server(explanation="word " * 100, pause=0.1) as (address, server):
        threading.Timer(0.3, stop.set).start()
        started = time.monotonic()
        with pytest.raises(CohortStudioError, match="stopped"):
            EndpointClient(address, "tiny").stream(ASK, max_tokens=5, tell=lambda _: None, stop=stop)
        assert time.monotonic() - started < 2
        assert server.left.wait(5)


def test_a_connection_is_tried_again_until_the_server_is_up() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    late = socket.socket()
    late.settimeout(5)
    late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def serve() -> None:
        late.bind(("127.0.0.1", port))
        late.listen()
        connection, _ = late.accept()
        connection.recv(65536)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"data":[{"id":"up"}]}')
        connection.close()

    timer = threading.Timer(0.3, serve)
    timer.daemon = True
    timer.start()
    assert EndpointClient(f"http://127.0.0.1:{port}", "tiny").models() == ["up"]
    timer.join()
    late.close()


def test_nobody_at_the_address_is_said_with_the_remedy() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(CohortStudioError, match=r"no endpoint answers at .*Start the server"):
        EndpointClient(f"http://127.0.0.1:{port}", "tiny").models()


def test_a_connection_that_breaks_is_said() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    with pytest.raises(CohortStudioError, match=r"the connection to the endpoint at 127\.0\.0\.1 broke"):
        EndpointClient(f"http://127.0.0.1:{listener.getsockname()[1]}", "tiny").models()
    listener.close()


def test_a_proxy_of_the_environment_does_not_see_what_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with openai_server() as (address, _), openai_server() as (proxy, overheard):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert EndpointClient(address, "tiny").models() == ["tiny"]
        assert overheard.received == []


@pytest.mark.parametrize("key", ["geheim-ß", "a\nb", "a\x00b"])
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(key: str) -> None:
    with openai_server() as (address, server):
        with pytest.raises(UserError, match="COHORT_STUDIO_ENDPOINT_KEY") as caught:
            EndpointClient(address, "tiny", key=SecretStr(key)).models()
        assert server.received == []
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        (" http://127.0.0.1:11434/v1/ ", "http://127.0.0.1:11434/v1"),
        ("https://host.example/v1/chat/completions", "https://host.example/v1"),
        ("https://host.example/proxy/llm/v1", "https://host.example/proxy/llm/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_addresses_are_brought_into_one_form(typed: str, base: str) -> None:
    assert base_address(typed) == base
    assert base_address(base) == base


@pytest.mark.parametrize(
    "typed",
    ["", "localhost:8000", "ftp://host/v1", "file:///etc/passwd", "http://", "http://user:pass@host/v1", "http://[::1",
     "http://host:99999/", "http://host/v1?key=1", "http://host/v1#x", "http://ho st/v1", "http://host\n.example/v1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(UserError, match="address") as caught:
        base_address(typed)
    assert "pass@" not in str(caught.value)


def own_address() -> str | None:
    """An address of this machine that is not a loopback one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a datagram socket sends nothing
        except OSError:
            return None
        return probe.getsockname()[0]


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True), ("LOCALHOST.", True), ("a.localhost", True), ("127.0.0.1", True), ("127.9.9.9", True),
        ("[::1]", True), ("[::ffff:127.0.0.1]", True), ("0.0.0.0", True), (socket.gethostname(), True),
        ("api.openai.com", False), ("192.0.2.7", False), ("[2001:db8::1]", False), ("localhost.example.org", False),
        ("127.0.0.1.example.org", False), ("2130706433", False), ("8.8.8.8", False),
    ],
)  # fmt: skip
def test_what_is_on_this_machine(host: str, here: bool) -> None:
    assert is_on_this_machine(f"http://{host}:8000/v1") is here


def test_the_machines_own_address_is_on_this_machine() -> None:
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but the loopback one")
    assert is_on_this_machine(f"http://{address}:8000/v1")
