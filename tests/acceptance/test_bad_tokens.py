"""Every bad token (RELIABILITY 3.1, RFC 8725) at a server with a public key: one answer for all, in both places."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.acceptance.handshakes import BAD_TOKEN, HandshakeCase, bearer

PAIR, STRANGER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
PEM = PAIR.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
SAME = ...
"""What a token of these tests has when nothing else is said."""


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).rstrip(b"=").decode()


def by_pair(signed, pair=PAIR):
    return pair.sign(signed.encode(), PKCS1v15(), SHA256())


def by_public_key(signed):
    return hmac.new(PEM, signed.encode(), hashlib.sha256).digest()


def token(header=SAME, claims=SAME, sign=by_pair):
    """A good token but for the members or whole texts given; a member that is None is left out."""
    parts = []
    whole = {"sub": "7", "exp": int(time.time()) + 600, "iss": "us", "aud": "chat"}
    for base, given in (({"alg": "RS256", "typ": "JWT"}, header), (whole, claims)):
        if not isinstance(given, str):
            members = base | ({} if given is SAME else given)
            given = json.dumps({name: value for name, value in members.items() if value is not None})
        parts.append(b64(given))
    signed = ".".join(parts)
    return f"{signed}.{b64(sign(signed))}"


def bad_tokens():
    """By what is wrong with them."""
    now, later = int(time.time()), int(time.time()) + 600
    members = '"iss":"us","aud":"chat"'
    head, payload, signature = token().split(".")
    yield from (
        (f"alg {name!r}", token({"alg": name}, sign=lambda _: b"")) for name in ("none", "None", "nOnE", "")
    )
    yield "alg none with a signature", token({"alg": "none"})
    yield "HS256 by the public key", token({"alg": "HS256"}, sign=by_public_key)
    yield from (
        (f"alg {name}", token({"alg": name})) for name in ("ES256", "EdDSA", "PS256", "RS512", "rs256", 5, [])
    )
    yield "another pair", token(sign=lambda signed: by_pair(signed, STRANGER))
    yield "no signature", f"{head}.{payload}."
    yield (
        "another payload",
        f"{head}.{b64(base64.urlsafe_b64decode(payload + '==').replace(b'7', b'8', 1))}.{signature}",
    )
    yield from ((f"kid {kid!r}", token({"kid": kid})) for kid in (5, [], "x" * 257, "x" * 2000, "\ud800"))
    yield from ((f"crit {crit}", token({"crit": crit})) for crit in (["exp"], [], ["b64"], "exp"))
    yield from ((f"b64 {crit}", token({"b64": False, "crit": crit})) for crit in (None, ["b64"]))
    yield from ((name, token({name: "https://evil.example"})) for name in ("jku", "x5u", "jwk"))
    yield from ((f"typ {typ}", token({"typ": typ})) for typ in ("logout+jwt", "dpop+jwt", "", 5))
    yield from ((f"no {name}", token(claims={name: None})) for name in ("sub", "exp", "iss", "aud"))
    yield from ((f"{name} of others", token(claims={name: "them"})) for name in ("iss", "aud"))
    subs = (
        "",
        "0",
        "-1",
        "+1",
        "01",
        " 1",
        "1.0",
        "x",
        "\u0661",
        str(2**53),
        0,
        -1,
        2**53,
        1.5,
        True,
        [7],
        {},
    )
    yield from ((f"sub {sub!r}", token(claims={"sub": sub})) for sub in subs)
    yield "expired", token(claims={"exp": now - 60})
    times = (str(later), [later], {}, True, -1, 10**17, 10**400)
    yield from ((f"exp {str(value)[:20]}", token(claims={"exp": value})) for value in times)
    for number in ("1e999", "-1e999", "NaN", "Infinity", "null"):
        yield f"exp {number}", token(claims=f'{{"sub":"7","exp":{number},{members}}}')
    yield "nbf ahead", token(claims={"nbf": later})
    yield "iat ahead", token(claims={"iat": later})
    yield "sub twice", token(claims=f'{{"sub":"7","sub":"8","exp":{later},{members}}}')
    yield "alg twice", token('{"alg":"none","alg":"RS256"}')
    yield "4 KiB and more", token(claims={"pad": "x" * 3000})
    yield "deep", token(claims='{"a":' * 500)
    yield "deep header", token("[" * 1000)
    yield from ((f"payload {text}", token(claims=text)) for text in ("null", "[]", "5", "", "{", '"a"'))
    yield from (
        (f"header {text}", token(text)) for text in ("null", "[]", "5", "", "{", '{"alg":null}', "{}")
    )
    yield from (
        ("shape", text)
        for text in ("x", "a.b", "a.b.c", "..", f"{token()}.a.b", f"{head}=.{payload}.{signature}")
    )


class BadTokens(HandshakeCase):
    settings = {"jwt_issuer": "us", "jwt_audience": "chat", "requests_per_s": 100_000, "burst": 100_000}

    async def started_node(self, **settings):
        path = Path(self.mktemp())
        path.write_bytes(PEM)
        return await super().started_node(jwt_secret="", jwt_key_file=(str(path),), **settings)

    async def test_a_handshake_is_answered_401_with_the_same_body(self):
        await self.accepted(**bearer(token()))
        answers = set()
        for wrong, text in bad_tokens():
            response = await self.answer(**bearer(text))
            self.assertEqual(
                (response.status, response.headers.get("www-authenticate")), (401, BAD_TOKEN), wrong
            )
            answers.add((response.body, tuple(sorted(response.headers.items()))))
        self.assertEqual(len(answers), 1)

    async def test_a_renewal_is_a_bad_request_and_changes_nothing(self):
        user = await self.user(7, token=token())
        for wrong, text in bad_tokens():
            error = await user.refused(1, 3, token=text)
            self.assertEqual(error.code.code, "bad_request", wrong)
            await user.sync()
        await user.call(1, 3, token=token())


class PublicKeys(HandshakeCase):
    """Each family end to end; the other ones' keys stand beside it."""

    pairs = {
        "RS256": PAIR,
        "PS512": PAIR,
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES512": ec.generate_private_key(ec.SECP521R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }

    async def started_node(self, **settings):
        paths = []
        for private in self.pairs.values():
            paths.append(Path(self.mktemp()))
            public = private.public_key()
            paths[-1].write_bytes(
                public.public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
        return await super().started_node(jwt_secret="", jwt_key_file=tuple(map(str, paths)), **settings)

    async def test_tokens_of_every_family_come_in(self):

        for algorithm, private in self.pairs.items():
            claims = {"sub": "7", "exp": int(time.time()) + 600}
            await self.accepted(**bearer(jwt.encode(claims, private, algorithm=algorithm)))
