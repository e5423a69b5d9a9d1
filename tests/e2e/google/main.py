"""A function that lets in who has a token for it, as Cloud Run's front end does, and says what it was asked."""

import os

import functions_framework
import jwt

keys = jwt.PyJWKClient(os.environ["CERTS"])


@functions_framework.http
def verify(request):
    # The header that Google looks at first.
    value = request.headers.get("X-Serverless-Authorization") or request.headers.get("Authorization", "")
    token = value.removeprefix("Bearer ")
    try:
        claims = jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["RS256"],
                            audience=os.environ["AUDIENCE"], issuer="https://accounts.google.com",
                            options={"require": ["exp", "aud", "iss"]})
    except jwt.InvalidTokenError as error:
        refusal = f'Bearer error="invalid_token" error_description="{error}"'
        return "no valid token", 401, {"WWW-Authenticate": refusal}
    own = None if value == request.headers.get("Authorization") else request.headers.get("Authorization")
    return {"path": request.full_path.rstrip("?"), "method": request.method, "host": request.host,
            "body": request.get_data(as_text=True), "email": claims["email"], "jti": claims["jti"], "own": own}
