"""Tokens: what a good one proves, and that every bad one ends in ``InvalidToken`` and nothing else."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.auth.keyset import KeySet, VerificationKey, algorithms_of
from chatsrv.auth.tokens import MAX_ID, Identity, InvalidToken, TokenVerifier, issue_token, unverified
from tests.support.issuer import jwk_of

SECRET = b"0123456789abcdef0123456789abcdef"
NOW = 1_700_000_000
KEY = VerificationKey(("HS256",), SECRET)
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1, "ES256K": ec.SECP256K1}
ED = ed25519.Ed25519PrivateKey.generate()


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def raw(header: bytes | str, payload: bytes | str, secret: bytes = SECRET) -> str:
    """A correctly signed HS256 token around whatever bytes are given."""
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def signed(header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A good token but for ``header`` and ``claims``; a claim that is ``...`` is left out."""
    claims = {"sub": "7", "exp": NOW + 60} | claims
    payload = {name: value for name, value in claims.items() if value is not ...}
    return raw(json.dumps({"alg": "HS256", "typ": "JWT"} | (header or {})), json.dumps(payload))


def signed_with(key: Any, algorithm: str, kid: str | None = None, **claims: Any) -> str:
    """A good token but for ``claims``, by any key."""
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({"sub": "7", "exp": NOW + 60} | claims, key, algorithm=algorithm, headers=headers)


def pem(key: Any) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


class _TokenCase(SynchronousTestCase):
    def verify(self, token: str, key: VerificationKey = KEY, *, now: float = NOW, **options: Any) -> Identity:
        return TokenVerifier(key, clock=lambda: now, **options).verify(token)

    def refuses(self, token: str, key: VerificationKey = KEY, *, now: float = NOW, **options: Any) -> None:
        error = self.assertRaises(InvalidToken, self.verify, token, key, now=now, **options)
        self.assertLess(len(str(error)), 60)
        self.assertIsNone(error.__cause__)


class GoodTokenTests(_TokenCase):
    def test_an_issued_token_proves_its_user_until_it_expires(self):
        token = issue_token(SECRET, 7, 60, lambda: NOW + 0.9)
        identity = self.verify(token)
        self.assertEqual((identity.user_id, identity.expires_at), (7, (NOW + 60) * 1000))
        self.assertTrue(identity.token_id)
        self.refuses(token, now=NOW + 90)

    def test_an_issued_token_carries_the_configured_claims(self):
        names = {"user_claim": "uid", "issuer": "me", "audience": "chat"}
        token = issue_token(SECRET, MAX_ID, 60, lambda: NOW, **names)
        self.assertEqual(self.verify(token, **names).user_id, MAX_ID)

    def test_the_user_id_may_be_a_decimal_text_or_an_integer(self):
        for value in ("1", 1, str(MAX_ID), MAX_ID):
            self.assertEqual(self.verify(signed(sub=value)).user_id, int(value))

    def test_a_token_without_id_or_expiry_says_so(self):
        token = signed(exp=...)
        self.assertEqual(self.verify(token, require_exp=False), Identity(7, None, None))
        self.refuses(token)

    def test_a_fraction_of_a_second_is_kept(self):
        self.assertEqual(self.verify(signed(exp=NOW + 1.5)).expires_at, NOW * 1000 + 1500)

    def test_the_type_of_an_access_token_is_accepted(self):
        for kind in ("JWT", "jwt", "at+jwt", "application/at+jwt"):
            self.verify(signed({"typ": kind}))

    def test_every_algorithm_verifies_with_a_key_of_its_kind(self):
        pairs = {f"{family}{bits}": RSA for family in ("RS", "PS") for bits in (256, 384, 512)}
        pairs |= {name: ec.generate_private_key(curve()) for name, curve in CURVES.items()}
        for algorithm, private in [
            *pairs.items(),
            ("EdDSA", ED),
            ("EdDSA", ed448.Ed448PrivateKey.generate()),
        ]:
            public = private.public_key()
            key = VerificationKey(algorithms_of(public), public)
            self.assertEqual(self.verify(signed_with(private, algorithm), key).user_id, 7, algorithm)
        for algorithm, length in (("HS256", 32), ("HS384", 48), ("HS512", 64)):
            key = VerificationKey((algorithm,), b"s" * length)
            self.assertEqual(self.verify(signed_with(b"s" * length, algorithm), key).user_id, 7, algorithm)
            self.refuses(signed_with(b"s" * length, algorithm), VerificationKey((algorithm,), b"t" * length))


class TimeTests(_TokenCase):
    def test_the_leeway_holds_at_both_ends(self):
        self.verify(signed(exp=NOW - 29))
        self.refuses(signed(exp=NOW - 30))
        self.verify(signed(nbf=NOW + 30))
        self.refuses(signed(nbf=NOW + 31))

    def test_a_time_must_be_a_finite_number(self):
        for value in ("1700000060", None, True, [1], {}, -1, 10**17, 10**400):
            self.refuses(signed(exp=value))
            self.refuses(signed(nbf=value))
            self.refuses(signed(iat=value))
        for number in ("1e999", "NaN", "Infinity", "-Infinity"):
            self.refuses(raw('{"alg":"HS256"}', f'{{"sub":"7","exp":{number}}}'))

    def test_one_that_was_issued_long_ago_is_good_and_one_from_the_future_is_not(self):
        for iat in (0, NOW - 10**6, NOW, NOW + 30):
            self.verify(signed(iat=iat))
        for iat in (NOW + 31, NOW + 10**6):
            self.refuses(signed(iat=iat))

    def test_when_it_was_issued_is_said_if_it_says_so(self):
        for iat, issued_at in (
            (NOW - 5, NOW * 1000 - 5000),
            (NOW + 0.5, NOW * 1000 + 500),
            (NOW + 30, NOW * 1000 + 30_000),
            (..., None),
        ):
            self.assertEqual(self.verify(signed(iat=iat)).issued_at, issued_at, iat)
        self.assertEqual(self.verify(issue_token(SECRET, 7, 60, lambda: NOW)).issued_at, NOW * 1000)


class ClaimTests(_TokenCase):
    def test_a_user_id_of_any_other_shape_is_refused(self):
        texts = [
            "",
            "0",
            "-1",
            "+1",
            "01",
            " 1",
            "1 ",
            "1\n",
            "1.0",
            "1e3",
            "0x1",
            "1_0",
            "\u0661",
            "a",
            str(2**53),
        ]
        for value in [*texts, "9" * 5000, 0, -1, 2**53, 1.0, 1.5, True, False, None, [], ["1"], {}, ...]:
            self.refuses(signed(sub=value), token_bytes=65536)

    def test_another_claim_may_hold_the_user_and_sub_is_then_no_substitute(self):
        self.assertEqual(self.verify(signed(sub=[], uid=9), user_claim="uid").user_id, 9)
        self.refuses(signed(), user_claim="uid")

    def test_the_issuer_is_checked_when_it_is_configured(self):
        self.verify(signed(iss="anyone"))
        self.verify(signed(iss="me"), issuer="me")
        for value in (..., "you", ["me"], None):
            self.refuses(signed(iss=value), issuer="me")

    def test_the_audience_is_checked_and_an_unasked_one_is_refused(self):
        self.verify(signed(aud="chat"), audience="chat")
        self.verify(signed(aud=["mail", "chat"]), audience="chat")
        for value in (..., "mail", [], {}, None):
            self.refuses(signed(aud=value), audience="chat")
        self.refuses(signed(aud="mail"))

    def test_a_token_id_must_be_a_text_that_can_be_stored(self):
        self.assertEqual(self.verify(signed(jti="a")).token_id, "a")
        for value in (5, None, ["a"], "\ud800"):
            self.refuses(signed(jti=value))

    def test_duplicate_members_are_refused(self):
        self.refuses(raw('{"alg":"HS256"}', f'{{"sub":"7","exp":{NOW + 60},"sub":"7"}}'))
        self.refuses(raw('{"alg":"none","alg":"HS256"}', f'{{"sub":"7","exp":{NOW + 60}}}'))


class UnverifiedTests(_TokenCase):
    def test_a_token_says_whose_it_is_whoever_signed_it(self):
        token = raw('{"alg":"HS256"}', f'{{"sub":"7","exp":{NOW},"jti":"a"}}', b"another secret")
        self.assertEqual(unverified(token, "sub"), Identity(7, NOW * 1000, "a"))
        self.assertEqual(unverified(signed(uid=9, exp=...), "uid"), Identity(9, None, None))

    def test_what_is_no_token_ends_in_the_same_exception(self):
        for text in (
            "",
            "x",
            "a.b.c",
            signed(sub=...),
            signed(sub="0"),
            signed(exp="x"),
            signed(jti=7),
            "\udcff",
        ):
            error = self.assertRaises(InvalidToken, unverified, text, "sub")
            self.assertIsNone(error.__cause__)


class SignatureTests(_TokenCase):
    def test_another_key_or_a_changed_token_is_refused(self):
        self.refuses(raw('{"alg":"HS256"}', f'{{"sub":"7","exp":{NOW + 60}}}', b"x" * 32))
        token = signed()
        head, _payload, signature = token.split(".")
        self.refuses(f"{head}.{b64(json.dumps({'sub': '8', 'exp': NOW + 60}))}.{signature}")
        self.refuses(f"{token[:-4]}AAAA")

    def test_no_algorithm_is_no_signature(self):
        payload = b64(json.dumps({"sub": "7", "exp": NOW + 60}))
        for algorithm in ("none", "None", "NONE", "nOnE", "", None, 5, []):
            head = b64(json.dumps({"alg": algorithm}))
            for signature in ("", signed().split(".")[2]):
                self.refuses(f"{head}.{payload}.{signature}")
        self.refuses(f"{b64('{}')}.{payload}.")

    def test_an_hmac_with_the_public_key_as_secret_is_refused(self):
        token = raw('{"alg":"HS256"}', f'{{"sub":"7","exp":{NOW + 60}}}', pem(RSA))
        self.refuses(token, VerificationKey(("RS256",), RSA.public_key()))
        self.refuses(token, VerificationKey(("HS256",), pem(RSA)))

    def test_no_form_of_the_public_key_is_a_secret(self):
        public = RSA.public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        modulus = public.public_numbers().n.to_bytes(256, "big")
        jwk = json.dumps(jwk_of(RSA)).encode()
        for secret in (pem(RSA), pem(RSA).strip(), der, modulus, b64(modulus).encode(), jwk, b""):
            token = raw('{"alg":"HS256"}', f'{{"sub":"7","exp":{NOW + 60}}}', secret)
            self.refuses(token, VerificationKey(algorithms_of(public), public))
            self.refuses(token, KeySet([VerificationKey(algorithms_of(public), public), KEY]))

    def test_an_algorithm_is_spelled_in_one_way(self):
        for algorithm in ("hs256", "HS256 ", " HS256", "HS256\0", "HS-256", "SHA256", "HS512", "RS256"):
            self.refuses(signed({"alg": algorithm}))

    def test_an_algorithm_of_another_family_or_curve_is_refused(self):
        token = jwt.encode({"sub": "7", "exp": NOW + 60}, RSA, algorithm="RS256")
        self.refuses(token)
        self.refuses(token, VerificationKey(("ES256",), EC.public_key()))
        self.refuses(signed(), VerificationKey(("EdDSA",), ED.public_key()))

    def test_a_key_that_is_too_short_verifies_nothing(self):
        self.refuses(
            raw('{"alg":"HS256"}', f'{{"sub":"7","exp":{NOW + 60}}}', b"short"),
            VerificationKey(("HS256",), b"short"),
        )

    def test_headers_that_bring_or_fetch_a_key_or_ask_for_more_are_refused(self):
        for header in ({"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": True}, {"b64": False}):
            self.refuses(signed(header))
        for name in ("jku", "x5u", "jwk"):
            self.refuses(signed({name: "https://evil.example"}))

    def test_an_unencoded_payload_is_refused_however_it_is_asked_for(self):
        payload = json.dumps({"sub": "7", "exp": NOW + 60})
        for header in ({"b64": False}, {"b64": False, "crit": ["b64"]}, {"b64": True, "crit": ["b64"]}):
            head = b64(json.dumps({"alg": "HS256"} | header))
            for middle in (payload, b64(payload), ""):
                signature = hmac.new(SECRET, f"{head}.{middle}".encode(), hashlib.sha256).digest()
                self.refuses(f"{head}.{middle}.{b64(signature)}")

    def test_a_key_id_that_is_none_is_refused(self):
        for kid in (5, None, True, [], {}, "\ud800", "a\udfff"):
            self.refuses(signed({"kid": kid}))
        self.verify(signed({"kid": "x" * 256}))
        self.refuses(signed({"kid": "x" * 257}))

    def test_headers_that_only_describe_the_key_are_ignored(self):
        for header in (
            {"x5t": "A"},
            {"x5c": ["A"]},
            {"cty": "x"},
            {"kid": "../../etc/passwd"},
            {"kid": "' OR 1"},
        ):
            self.verify(signed(header))

    def test_another_type_of_token_is_refused(self):
        for kind in ("logout+jwt", "dpop+jwt", "", None, 5):
            self.refuses(signed({"typ": kind}))


class ShapeTests(_TokenCase):
    def test_a_token_over_the_size_limit_is_refused_before_it_is_decoded(self):
        token = signed(pad="x" * 4096)
        self.patch(jwt.PyJWT, "decode_complete", lambda *a, **k: self.fail("decoded"))
        self.refuses(token)

    def test_the_size_limit_is_exact(self):
        token = signed()
        self.verify(token, token_bytes=len(token))
        self.refuses(token, token_bytes=len(token) - 1)

    def test_what_is_no_token_is_refused(self):
        good = signed()
        for token in (
            "",
            ".",
            "..",
            "a.b",
            "a.b.c",
            "....",
            good + ".",
            "." + good,
            good + "\n",
            " " + good,
            "\0",
            "ü",
        ):
            self.refuses(token)
        self.refuses(good + "\udcff")
        self.refuses(good + ".a.b")
        self.refuses(good.replace(".", ".."))
        self.refuses(good.replace(".", "=.", 1))

    def test_what_is_no_json_object_is_refused(self):
        nested = "[" * 30000
        for text in (
            "",
            "null",
            "[]",
            '"a"',
            "5",
            "{",
            "{'a':1}",
            nested,
            '{"a":' * 9000,
            b"\xff\xfe",
            b"\xed\xa0\x80",
        ):
            self.refuses(raw('{"alg":"HS256"}', text), token_bytes=10**6)
            self.refuses(raw(text, '{"sub":"7"}'), token_bytes=10**6)

    def test_an_integer_of_many_digits_is_refused(self):
        self.refuses(raw('{"alg":"HS256"}', f'{{"sub":{"9" * 4301},"exp":{NOW + 60}}}'), token_bytes=10**6)

    @settings(deadline=None)
    @given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
    def test_no_text_gets_any_other_exception(self, token):
        self.refuses(token)

    @settings(deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=8,
        ),
        st.sampled_from(["sub", "exp", "nbf", "iat", "jti", "iss", "aud", "other"]),
    )
    def test_no_claim_gets_any_other_exception(self, value, name):
        try:
            identity = self.verify(signed(**{name: value}), token_bytes=10**6)
        except InvalidToken:
            return
        self.assertTrue(1 <= identity.user_id <= MAX_ID)
        self.assertTrue(0 <= (identity.expires_at or 0) <= MAX_ID)
