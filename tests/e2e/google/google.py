"""What Google has beside functions, on one port of loopback: the metadata server, the token endpoint, IAM, and the keys that
tokens are verified with. Written on PyJWT, so that Tenon's own signatures are verified by somebody else's code.

Says on standard output where it listens: one line of JSON, with a service account's key in it.
A POST to /control sets `life` (seconds that tokens live) and `refusing`.
"""

import json
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ACCOUNT = "invoker@project.iam.gserviceaccount.com"
OURS = "/computeMetadata/v1/instance/service-accounts/default"
google_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
account_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
state = {"life": 3600, "refusing": False}


def id_token(audience, whose):
    now = int(time.time())
    claims = {"iss": "https://accounts.google.com", "aud": audience, "iat": now, "exp": now + state["life"],
              "email": whose, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, google_key, algorithm="RS256", headers={"kid": "google"})


class Google(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/certs":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(google_key.public_key()))
            return self.answer(200, {"keys": [{**key, "kid": "google", "alg": "RS256", "use": "sig"}]})
        if self.headers.get("metadata-flavor") != "Google":
            return self.answer(403, "Missing Metadata-Flavor:Google header.")
        if state["refusing"]:
            return self.answer(503, "")
        if url.path == OURS + "/identity":
            return self.answer(200, id_token(parse_qs(url.query)["audience"][0], "machine@project"))
        if url.path == OURS + "/token":
            return self.answer(200, {"access_token": "access-of-the-machine", "expires_in": 3600})
        return self.answer(404, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/control":
            state.update(json.loads(body))
            return self.answer(200, "{}")
        if self.path == "/token":
            form = parse_qs(body)
            try:
                claims = jwt.decode(form["assertion"][0], account_key.public_key(), algorithms=["RS256"],
                                    audience=self.token_uri(), issuer=ACCOUNT)
            except jwt.InvalidTokenError as error:
                return self.answer(400, {"error": "invalid_grant", "error_description": str(error)})
            return self.answer(200, {"id_token": id_token(claims["target_audience"], ACCOUNT)})
        if self.path.endswith(":generateIdToken"):
            if self.headers["authorization"] != "Bearer access-of-the-machine":
                return self.answer(403, {"error": {"status": "PERMISSION_DENIED"}})
            account = self.path.split("/")[-1].removesuffix(":generateIdToken")
            return self.answer(200, {"token": id_token(json.loads(body)["audience"], account)})
        return self.answer(404, "")

    def token_uri(self):
        return "http://%s:%d/token" % self.server.server_address

    def log_message(self, *args):
        """Nothing: what is asked for has tokens in it."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Google)
pem = account_key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
address = "%s:%d" % server.server_address
key = {"type": "service_account", "client_email": ACCOUNT, "private_key_id": "k1", "private_key": pem.decode(),
       "token_uri": f"http://{address}/token"}
print(json.dumps({"address": address, "key": key}), flush=True)
server.serve_forever()
