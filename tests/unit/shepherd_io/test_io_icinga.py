"""Icinga's REST API against an https server on loopback, with a certificate authority made here."""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sheepfold.htcondor.plugins.module_utils.condor.goals import Verb
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.icinga import Icinga
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.act.monitoring import MonitoringError, NoMonitoring
from ansible_collections.sheepfold.htcondor.plugins.module_utils.shepherd.config.configuration import IcingaOptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.certificates import of_another, of_itself

NOW = 1_800_000_000


def authority(directory: Path, name: str) -> tuple[Path, Path]:
    """The certificate of an authority, and a file with a certificate of 127.0.0.1 signed by it, and that one's key.

    As `icinga2 api setup` makes them (Icinga 2.14): neither has key identifiers.
    """
    key, servers = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    own = of_itself(key, name, since_days=1, days=1).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    given = of_another(servers, "127.0.0.1", name, since_days=1, days=1).add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
    )
    certificate, server = directory / f"{name}.crt", directory / f"{name}-server.pem"
    certificate.write_bytes(own.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    server.write_bytes(
        servers.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + given.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return certificate, server


class Server(ThreadingHTTPServer):
    """Knows the service condor_startd of p220; answers as Icinga 2 does."""

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.downtimes: dict[str, tuple[str, str, str]] = {}
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.answer: tuple[int, str] | None = None
        self.wait = threading.Event()
        self.wait.set()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_arguments: Any) -> None:
        pass

    def _say(self, code: int, text: str) -> None:
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/v1/elsewhere")
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.headers["X-HTTP-Method-Override"], self.path, body))
        self.server.wait.wait(20)
        if self.server.answer:
            self._say(*self.server.answer)
            return
        user = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
        if user != "shepherd:secret":
            self._say(401, "Unauthorized")
            return
        wanted = body["filter_vars"]
        key = (wanted["host_wanted"], wanted["service_wanted"], wanted["author_wanted"])
        found = [name for name, each in self.server.downtimes.items() if each == key]
        if self.path == "/v1/actions/schedule-downtime":
            found = ["p220.site!condor_startd!1"] if key[:2] == ("p220.site", "condor_startd") else []
            self.server.downtimes.update(dict.fromkeys(found, key))
        if not found and self.path != "/v1/objects/downtimes":
            self._say(404, json.dumps({"error": 404, "status": "No objects found."}))
            return
        if self.path == "/v1/actions/remove-downtime":
            for name in found:
                del self.server.downtimes[name]
        self._say(200, json.dumps({"results": [{"code": 200, "name": name, "status": "done"} for name in found]}))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(authority(tmp_path, "icinga")[1])
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.wait.set()
    made.shutdown()
    made.server_close()
    thread.join()


def client(server: Server, directory: Path, **options: Any) -> Icinga:
    (directory / "password").write_text("secret\n")
    values = {
        "url": server.url,
        "user": "shepherd",
        "password_file": str(directory / "password"),
        "ca_file": str(directory / "icinga.crt"),
        "host": "{node}.site",
        "when": ("stop", "drain"),
        "timeout": 5.0,
        **options,
    }
    return Icinga(IcingaOptions(**values), clock=lambda: NOW)


def test_a_downtime_before_and_none_after(server: Server, tmp_path: Path) -> None:
    icinga = client(server, tmp_path)
    assert icinga.before_off("p220", "demand is low") == "p220.site!condor_startd!1"
    _method, path, body = server.requests[-1]
    assert path == "/v1/actions/schedule-downtime"
    assert body == {
        "type": "Service",
        "filter": "host.name == host_wanted && service.name == service_wanted",
        "filter_vars": {"host_wanted": "p220.site", "service_wanted": "condor_startd", "author_wanted": "shepherd"},
        "author": "shepherd",
        "comment": "demand is low",
        "start_time": NOW,
        "end_time": NOW + 86400,
        "fixed": True,
    }
    # A second time there is one already.
    asked = len(server.requests)
    assert icinga.before_off("p220", "demand is low") == "p220.site!condor_startd!1"
    assert [(method, path) for method, path, _body in server.requests[asked:]] == [("GET", "/v1/objects/downtimes")]
    icinga.after_on("p220", "p220.site!condor_startd!1")
    assert server.downtimes == {}
    # Nor is taking away what is gone an error.
    icinga.after_on("p220", "")


def test_which_commands_it_is_told_of(server: Server, tmp_path: Path) -> None:
    assert [client(server, tmp_path, when=("stop",)).tells(verb) for verb in (Verb.STOP, Verb.DRAIN, Verb.OPEN)] == [
        True,
        False,
        False,
    ]
    assert client(server, tmp_path).tells(Verb.DRAIN) and not NoMonitoring().tells(Verb.STOP)


def test_a_service_that_icinga_does_not_know(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MonitoringError, match=r"knows no service p999\.site!condor_startd$"):
        client(server, tmp_path).before_off("p999", "x")


def test_icingas_own_authority_is_taken_where_python_is_strict(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = ssl.create_default_context

    def as_python_3_13_makes_it(**options: Any) -> ssl.SSLContext:
        context = make(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_python_3_13_makes_it)
    client(server, tmp_path).before_off("p220", "x")
    assert server.downtimes


def test_a_certificate_of_another_authority_is_refused(server: Server, tmp_path: Path) -> None:
    other, _server = authority(tmp_path, "other")
    with pytest.raises(MonitoringError, match="CERTIFICATE_VERIFY_FAILED"):
        client(server, tmp_path, ca_file=str(other)).before_off("p220", "x")
    assert server.requests == []


def test_a_name_that_is_not_in_the_certificate_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MonitoringError, match="CERTIFICATE_VERIFY_FAILED"):
        client(server, tmp_path, url=server.url.replace("127.0.0.1", "localhost")).before_off("p220", "x")
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, "Unauthorized"), "answered objects/downtimes with 401 Unauthorized"),
        ((500, "{}"), "answered objects/downtimes with 500"),
        ((302, ""), "answered objects/downtimes with 302"),
        ((200, "hello"), "with something else than results"),
        ((200, "[]"), "with something else than results"),
        ((200, '{"results": [{"code": 409, "status": "locked"}]}'), "answered objects/downtimes with: locked"),
    ],
)
def test_other_answers(server: Server, tmp_path: Path, answer: tuple[int, str], words: str) -> None:
    server.answer = answer
    with pytest.raises(MonitoringError, match=words):
        client(server, tmp_path).before_off("p220", "x")
    assert [path for _method, path, _body in server.requests] == ["/v1/objects/downtimes"]


def test_a_server_that_hangs_is_given_up(server: Server, tmp_path: Path) -> None:
    server.wait.clear()
    with pytest.raises(MonitoringError, match="timed out"):
        client(server, tmp_path, timeout=0.3).before_off("p220", "x")


def test_a_server_that_is_not_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MonitoringError, match=r"cannot be asked: .*refused"):
        client(server, tmp_path, url="https://127.0.0.1:1").after_on("p220", "")


def test_files_that_cannot_be_read(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MonitoringError, match="password_file /nowhere cannot be read: No such file"):
        client(server, tmp_path, password_file="/nowhere").before_off("p220", "x")
    with pytest.raises(MonitoringError, match="ca_file /nowhere cannot be used: No such file"):
        client(server, tmp_path, ca_file="/nowhere").before_off("p220", "x")
