"""A key set's document: which keys are taken, which are left out and why, and what is no key set at all."""

import json

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.auth.jwk import MAX_KEYS, BadKeySet, read_jwks
from chatsrv.auth.keyset import MAX_RSA_BITS, UnsuitableKey, algorithms_of
from chatsrv.auth.tokens import InvalidToken, TokenVerifier
from tests.support.issuer import jwk_of, key_set
from tests.unit.test_tokens import NOW, signed_with

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


class _JwkCase(SynchronousTestCase):
    def algorithms(self, *jwks):
        """Of each key that is taken, by its id."""
        keys, self.skipped = read_jwks(key_set(*jwks))
        return {key.kid: key.algorithms for key in keys.keys}

    def why_not(self, jwk):
        """The reason for which it is left out."""
        self.assertEqual(self.algorithms(jwk, jwk_of(ED, "good")), {"good": ("EdDSA",)})
        (reason,) = self.skipped
        return reason

    def no_key_set(self, document):
        return str(self.assertRaises(BadKeySet, read_jwks, document))


class KeyTests(_JwkCase):
    def test_each_kind_gets_the_algorithms_of_its_family(self):
        for private, algorithms in (
            (RSA, RSA_ALGORITHMS),
            (EC, ("ES256",)),
            (ec.generate_private_key(ec.SECP384R1()), ("ES384",)),
            (ec.generate_private_key(ec.SECP521R1()), ("ES512",)),
            (ec.generate_private_key(ec.SECP256K1()), ("ES256K",)),
            (ED, ("EdDSA",)),
            (ed448.Ed448PrivateKey.generate(), ("EdDSA",)),
        ):
            self.assertEqual(self.algorithms(jwk_of(private, "a")), {"a": algorithms})
            self.assertEqual(self.skipped, ())

    def test_a_key_of_each_kind_verifies(self):
        verifier = TokenVerifier(
            read_jwks(key_set(jwk_of(RSA, "r"), jwk_of(EC, "e"), jwk_of(ED, "d")))[0], clock=lambda: NOW
        )
        for private, algorithm, kid in (
            (RSA, "RS256", "r"),
            (RSA, "PS512", "r"),
            (EC, "ES256", "e"),
            (ED, "EdDSA", "d"),
        ):
            self.assertEqual(verifier.verify(signed_with(private, algorithm, kid)).user_id, 7)
        self.assertRaises(InvalidToken, verifier.verify, signed_with(EC, "ES256", "d"))

    def test_its_alg_use_and_key_ops_are_honoured(self):
        self.assertEqual(self.algorithms(jwk_of(RSA, "a", alg="PS256")), {"a": ("PS256",)})
        self.assertEqual(self.algorithms(jwk_of(EC, "a", use="sig", key_ops=["verify"])), {"a": ("ES256",)})
        for alg in ("ES384", "RS256", "HS256", "none", "", 5, []):
            self.assertIn("has an alg that is not its own", self.why_not(jwk_of(EC, "a", alg=alg)))
        for use in ("enc", "", None, 5):
            self.assertIn("is not for signatures", self.why_not(jwk_of(EC, "a", use=use)))
        for operations in (["sign"], [], "verify", None, {}):
            self.assertIn("is not for verifying", self.why_not(jwk_of(EC, "a", key_ops=operations)))

    def test_the_id_may_be_missing_and_must_else_be_one(self):
        self.assertEqual(self.algorithms(jwk_of(EC)), {None: ("ES256",)})
        for kid in (5, [], {}, "x" * 257):
            self.assertIn("key number 1: has a bad kid", self.why_not(jwk_of(EC) | {"kid": kid}))

    def test_symmetric_and_private_keys_are_left_out(self):
        self.assertIn("is symmetric", self.why_not({"kty": "oct", "k": "A" * 43, "kid": "a"}))
        for private in (RSA, EC, ED):
            for member in ("d", "k", "p", "oth"):
                self.assertIn("is private", self.why_not(jwk_of(private, "a") | {member: "AQAB"}))

    def test_weak_keys_are_left_out(self):
        weak = rsa.generate_private_key(65537, 1024)
        self.assertEqual(
            self.why_not(jwk_of(weak, "a")), "key a: the RSA key has 1024 bits; it needs 2048 or more"
        )

    def test_a_key_too_large_to_verify_with_is_left_out(self):
        def of(bits):
            return rsa.RSAPublicNumbers(65537, (1 << bits - 1) | 1).public_key()

        self.assertEqual(algorithms_of(of(MAX_RSA_BITS)), RSA_ALGORITHMS)
        self.assertRaises(UnsuitableKey, algorithms_of, of(MAX_RSA_BITS + 1))

    def test_damaged_and_unknown_keys_are_left_out(self):
        for members in ({"x": "AA"}, {"x": "!"}, {"x": 5}, {"x": None}, {"crv": "P-384"}, {"crv": "P-999"}):
            self.assertIn("is damaged", self.why_not(jwk_of(EC, "a") | members), members)
        off_the_curve = jwk_of(EC, "a")
        off_the_curve["y"] = off_the_curve["x"]
        self.assertIn("is damaged", self.why_not(off_the_curve))
        for members in ({"n": ""}, {"e": "AA"}, {"e": "AQ"}, {"n": []}):
            self.why_not(jwk_of(RSA, "a") | members)
        for kind in ("rsa", "AKP", "", None, 5, []):
            self.assertIn("is of another kind", self.why_not(jwk_of(EC, "a") | {"kty": kind}))
        for other in (None, 5, "a", []):
            self.assertIn("is no object", self.why_not(other))

    def test_a_reason_names_the_key_only_when_its_id_is_plain(self):
        oct_key = {"kty": "oct", "k": "canary"}
        for kid in ("a", "2026-01", "A/b+c=", "x" * 64):
            self.assertEqual(self.why_not(oct_key | {"kid": kid}), f"key {kid}: is symmetric")
        for kid in ("a b", "a\n", "\x1b[31m", "x" * 65, "\u20ac", None, 5):
            self.assertEqual(self.why_not(oct_key | {"kid": kid}), "key number 1: is symmetric")


class SetTests(_JwkCase):
    def test_what_is_no_key_set_is_refused(self):
        for document in (
            *(b"", b"null", b"[]", b"{}", b"5", b'"keys"', b'{"keys":null}', b'{"keys":{}}', b'{"keys":"a"}'),
            *(
                b"<html>",
                b'{"keys":[',
                b"\xff",
                b'{"keys":["\xff"]}',
                b'{"keys":["\\ud800"]}',
                b"[" * 100_000,
                b'{"keys":' * 50_000,
            ),
        ):
            self.assertEqual(self.no_key_set(document), "is no JSON Web Key Set", document[:20])

    def test_a_set_without_a_usable_key_says_why(self):
        self.assertEqual(self.no_key_set(b'{"keys":[]}'), "holds no usable key")
        weak = key_set({"kty": "oct", "kid": "a"}, jwk_of(EC, use="enc"))
        self.assertEqual(
            self.no_key_set(weak),
            "holds no usable key: key a: is symmetric; key number 2: is not for signatures",
        )

    def test_other_members_do_not_matter(self):
        document = json.dumps({"keys": [jwk_of(EC, "a", x5t="x", more={})], "next": 5}).encode()
        self.assertEqual(read_jwks(document)[0].kids, {"a"})

    def test_so_many_keys_are_looked_at_and_not_one_more(self):
        self.algorithms(*(jwk_of(EC, str(n)) for n in range(MAX_KEYS)))
        self.assertEqual(self.skipped, ())
        kids = self.algorithms(*(jwk_of(EC, str(n)) for n in range(MAX_KEYS + 1)))
        self.assertEqual((len(kids), str(MAX_KEYS) in kids), (MAX_KEYS, False))
        self.assertEqual(self.skipped, (f"all after the first {MAX_KEYS}",))

    def test_two_keys_may_share_an_id(self):
        keys, _ = read_jwks(key_set(jwk_of(EC, "a"), jwk_of(RSA, "a")))
        self.assertEqual([len(keys.candidates("a", name)) for name in ("ES256", "RS256", "EdDSA")], [1, 1, 0])
