#!/usr/bin/env python3
"""Runs the example: the plain service, the Lambda service with its functions, Tenon with Envoy, and some requests.

Each request is printed as a curl line with its answer. Stays up until Ctrl-C; with --once, ends after the requests, with
exit code 1 if an answer was not the expected one.
"""

import argparse
import http.client
import http.server
import json
import os
import queue
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lambda_service import LambdaService, free_port

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
READY_SECONDS = 60
ANSWER_SECONDS = 60


@dataclass
class Example:
    """A request and the answer that it is to get."""

    title: str
    path: str
    status: int
    body: object
    send: object = None
    headers: dict = field(default_factory=dict)

    def curl(self, address):
        words = ["curl", "-i"]
        if self.send is not None:
            words += ["-H", "content-type: application/json", "-d", json.dumps(self.send)]
        return shlex.join([*words, f"http://{address}{self.path}"])

    def ask(self, address):
        host, port = address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=ANSWER_SECONDS)
        try:
            if self.send is None:
                connection.request("GET", self.path)
            else:
                sent = json.dumps(self.send).encode()
                connection.request("POST", self.path, sent, {"content-type": "application/json"})
            response = connection.getresponse()
            return response, response.read().decode()
        finally:
            connection.close()

    def differences(self, response, body):
        if response.status != self.status:
            yield f"status {response.status} instead of {self.status}"
        if isinstance(self.body, str) and body != self.body:
            yield f"body {body!r} instead of {self.body!r}"
        if isinstance(self.body, dict) and not contains(body, self.body):
            yield f"body {body!r} without {json.dumps(self.body)}"
        for name, value in self.headers.items():
            if response.headers.get(name) != value:
                yield f"header {name}: {response.headers.get(name)} instead of {value}"


def contains(text, expected):
    try:
        return expected.items() <= json.loads(text).items()
    except (ValueError, AttributeError):
        return False


def examples():
    order = random.randrange(10**9)
    return [
        Example("A plain service", "/plain", 200, "the plain service got GET /plain\n"),
        Example("A function: the body is its event, its answer is the body", "/echo", 200, {"a": 1}, send={"a": 1}),
        Example(
            "A function as behind API Gateway",
            "/hello?name=Ada",
            200,
            "Hello, Ada! This was GET /hello.\n",
            headers={"x-greeted": "Ada"},
        ),
        Example(
            "A function that fails",
            "/order",
            504,
            {"errorMessage": "no order"},
            send={},
            headers={"x-tenon-error": "function_error"},
        ),
        Example(
            "A function that fails twice, on a route that retries",
            "/order-with-retries",
            200,
            {"order": order, "tries": 3},
            send={"order": order},
        ),
    ]


class PlainService:
    """A service that says what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = f"the plain service got {self.command} {self.path}\n".encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def __init__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Tenon:
    """`tenon up` over a folder of resources; its log goes to ours."""

    def __init__(self, folder, state, filter_host):
        module = {"so": "libtenon.so", "wasm": "tenon.wasm"}[filter_host]
        dist = Path(os.environ.get("TENON_DIST", ROOT / "dist"))
        command = [dist / "tenon", "up", "-f", folder, "--filter", filter_host, "--module", dist / module]
        command += ["--state-dir", state, "--envoy", os.environ.get("TENON_ENVOY", ROOT / ".tenon/bin/envoy")]
        for flag in ("--admin-addr", "--xds-addr", "--envoy-admin-addr"):
            command += [flag, "127.0.0.1:0"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def ready(self):
        """Waits for the line that says where everything listens."""
        try:
            line = self._lines.get(timeout=READY_SECONDS)
        except queue.Empty:
            raise RuntimeError(f"Tenon was not ready within {READY_SECONDS} s") from None
        if line is None:
            raise RuntimeError(f"tenon up ended with exit code {self._process.wait()}")
        return json.loads(line)

    def wait(self):
        return self._process.wait()

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("READY "):
                self._lines.put(line.removeprefix("READY "))
        self._lines.put(None)


def render(folder, plain, lambda_service, port):
    """Copies the resources into `folder` with the ports and credentials of this run."""
    values = {
        "port: 5080": f"port: {plain.port}",
        "127.0.0.1:5077": f"127.0.0.1:{lambda_service.port}",
        "AKIAIOSFODNN7EXAMPLE": lambda_service.credentials.access_key,
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": lambda_service.credentials.secret_key,
    }
    for source in (HERE / "resources").glob("*.yaml"):
        text = source.read_text()
        for default, value in values.items():
            text = text.replace(default, value)
        (folder / source.name).write_text(text)
    if port is not None:
        gateway = {
            "apiVersion": "gateway.solo.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "gateway-proxy", "namespace": "default"},
            "spec": {"bindAddress": "127.0.0.1", "bindPort": port or free_port(), "httpGateway": {}},
        }
        (folder / "gateway.yaml").write_text(json.dumps(gateway, indent=2))


def ask_all(address):
    """Sends every example request; tells how many answers were not the expected ones."""
    failures = 0
    for example in examples():
        print(f"\n# {example.title}\n$ {example.curl(address)}", flush=True)
        try:
            response, body = example.ask(address)
        except OSError as error:
            failures += 1
            print(f"UNEXPECTED: {error}")
            continue
        print(f"{response.status} {response.reason}\n{body.rstrip()}")
        for difference in example.differences(response, body):
            failures += 1
            print(f"UNEXPECTED: {difference}")
    sys.stdout.flush()
    return failures


def run(once):
    port = os.environ.get("PORT")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenon-example-", ignore_cleanup_errors=True)))
        for name in ("resources", "state", "lambda"):
            (folder / name).mkdir()
        plain = PlainService()
        stack.callback(plain.stop)
        ministack = os.environ.get("TENON_MINISTACK", ROOT / ".tenon/bin/ministack")
        lambda_service = LambdaService(ministack, folder / "lambda", HERE / "functions")
        stack.callback(lambda_service.stop)
        render(folder / "resources", plain, lambda_service, int(port) if port else None)
        tenon = Tenon(folder / "resources", folder / "state", os.environ.get("FILTER") or "so")
        stack.callback(tenon.stop)
        ready = tenon.ready()
        address = ready["listeners"][0]["address"]
        print(f"Tenon serves on http://{address}, its status on http://{ready['admin']}/status,", end=" ")
        print(f"Envoy's admin on http://{ready['envoyAdmin']}, resources in {folder / 'resources'}")
        failures = ask_all(address)
        if once:
            return 1 if failures else 0
        print("\nUp until Ctrl-C. Edit the resources, and the next request sees it.", flush=True)
        return tenon.wait()


def stop_on_signal(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="end after the example requests")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, stop_on_signal)
    try:
        return run(arguments.once)
    except KeyboardInterrupt:
        return 1 if arguments.once else 0
    except (RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
