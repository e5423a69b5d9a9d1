"""The local Lambda service of the example: ministack, which verifies signatures and runs Python functions."""

import base64
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse
import zipfile
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"
START_SECONDS = 60
# ministack does not verify the signatures of its root account, so calls are made by a user that it does verify.
ROOT = Credentials("test", "test")


class LambdaService:
    """A running ministack with the functions of a folder, and the credentials of a user who may call them."""

    def __init__(self, ministack, folder, functions):
        self.credentials = None
        self._start(ministack, Path(folder))
        try:
            self._create_user()
            for source in sorted(Path(functions).glob("*.py")):
                self._create_function(source)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        # The functions' own processes are of the same group.
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def _start(self, ministack, folder):
        self.port = free_port()
        self.log = folder / "ministack.log"
        environment = {
            **os.environ,
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "SERVICES": "iam,lambda,sts",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "TMPDIR": str(folder),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [ministack], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"ministack did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def _is_up(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
        except OSError:
            return False

    def _create_user(self):
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self._iam("CreateRole", RoleName="function", AssumeRolePolicyDocument=policy(trust))
        self._iam("CreateUser", UserName="gateway")
        allow = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
        self._iam("PutUserPolicy", UserName="gateway", PolicyName="call", PolicyDocument=policy(allow))
        answer = self._iam("CreateAccessKey", UserName="gateway")
        key, secret = (re.search(f"<{tag}>(.*?)</{tag}>", answer)[1] for tag in ("AccessKeyId", "SecretAccessKey"))
        self.credentials = Credentials(key, secret)

    def _create_function(self, source):
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.write(source, source.name)
        self._call(
            "lambda",
            "/2015-03-31/functions",
            "application/json",
            json.dumps(
                {
                    "FunctionName": source.stem,
                    "Runtime": "python3.12",
                    "Handler": f"{source.stem}.handler",
                    "Role": "arn:aws:iam::000000000000:role/function",
                    "Code": {"ZipFile": base64.b64encode(code.getvalue()).decode()},
                    "Timeout": 30,
                }
            ),
        )

    def _iam(self, action, **parameters):
        form = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **parameters})
        return self._call("iam", "/", "application/x-www-form-urlencoded", form)

    def _call(self, service, path, content_type, body):
        url = f"http://127.0.0.1:{self.port}{path}"
        request = AWSRequest("POST", url, headers={"Content-Type": content_type}, data=body)
        SigV4Auth(self.credentials or ROOT, service, REGION).add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, body=body.encode(), headers=dict(request.headers))
            response = connection.getresponse()
            answer = response.read().decode()
        finally:
            connection.close()
        if response.status not in (200, 201):
            raise RuntimeError(f"{service} {path}: {response.status} {answer}")
        return answer


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
