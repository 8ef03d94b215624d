"""The key set: which keys are tried with a token, in which order, how many, and until when."""

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from twisted.trial.unittest import SynchronousTestCase

from chatsrv.auth.keyset import MAX_CANDIDATES, KeySet, VerificationKey, is_key_id
from chatsrv.auth.tokens import InvalidToken, TokenVerifier
from tests.unit.test_tokens import NOW, signed_with

PAIRS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "PS384": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def key_of(algorithm, kid=None, **more):
    return VerificationKey((algorithm,), PAIRS[algorithm].public_key(), kid, **more)


def some(number, kid=None):
    return [VerificationKey(("HS256",), bytes([n]) * 32, kid) for n in range(number)]


class CandidateTests(SynchronousTestCase):
    def test_a_key_fits_with_its_id_and_its_algorithm(self):
        keys = KeySet([key_of("RS256", "a"), key_of("ES256", "a"), key_of("ES256", "b")])
        for kid, algorithm, fitting in (
            ("a", "RS256", [("a", "RS256")]),
            ("a", "ES256", [("a", "ES256")]),
            (None, "ES256", [("a", "ES256"), ("b", "ES256")]),
            ("c", "ES256", []),
            ("b", "RS256", []),
            ("a", "HS256", []),
        ):
            found = keys.candidates(kid, algorithm)
            self.assertEqual([(key.kid, key.algorithms[0]) for key in found], fitting)

    def test_a_key_without_id_fits_any_after_those_that_have_the_tokens(self):
        loose, named = key_of("ES256"), key_of("ES256", "a")
        keys = KeySet([loose, named])
        self.assertEqual(keys.candidates("a", "ES256"), (named, loose))
        self.assertEqual(keys.candidates("b", "ES256"), (loose,))
        self.assertEqual(keys.candidates(None, "ES256"), (named, loose))

    def test_so_many_are_tried_and_not_one_more(self):
        self.assertEqual(len(KeySet(some(MAX_CANDIDATES)).candidates(None, "HS256")), MAX_CANDIDATES)
        keys = some(MAX_CANDIDATES + 1)
        self.assertEqual(KeySet(keys).candidates(None, "HS256"), tuple(keys[:MAX_CANDIDATES]))

    def test_a_key_by_itself_is_a_set_of_one(self):
        key = key_of("EdDSA", "a")
        for kid, algorithm in (("a", "EdDSA"), (None, "EdDSA"), ("b", "EdDSA"), ("a", "ES256")):
            self.assertEqual(key.candidates(kid, algorithm), KeySet([key]).candidates(kid, algorithm))

    def test_a_key_id_is_a_text_of_256_characters_at_most(self):
        for good in ("", "a", "\u20ac", "x" * 256):
            self.assertTrue(is_key_id(good))
        for bad in ("x" * 257, "\ud800", None, 5, ["a"], b"a"):
            self.assertFalse(is_key_id(bad))


class VerifyingTests(SynchronousTestCase):
    def setUp(self):
        self.now = NOW

    def user_of(self, token, *keys):
        try:
            return TokenVerifier(KeySet(keys), clock=lambda: self.now).verify(token).user_id
        except InvalidToken:
            return None

    def test_every_family_verifies_its_own_tokens_and_no_others(self):
        for algorithm, private in PAIRS.items():
            token = signed_with(private, algorithm)
            self.assertEqual(self.user_of(token, *map(key_of, PAIRS)), 7, algorithm)
            others = [key_of(other) for other in PAIRS if other != algorithm]
            self.assertIsNone(self.user_of(token, *others), algorithm)

    def test_without_a_key_id_the_keys_are_tried_in_turn(self):
        token = signed_with(bytes([MAX_CANDIDATES - 1]) * 32, "HS256")
        self.assertEqual(self.user_of(token, *some(MAX_CANDIDATES)), 7)
        token = signed_with(bytes([MAX_CANDIDATES]) * 32, "HS256")
        self.assertIsNone(self.user_of(token, *some(MAX_CANDIDATES + 1)))

    def test_a_key_id_chooses_and_one_that_lies_is_refused(self):
        keys = some(2, "a")[:1] + some(2, "b")[1:]
        for kid, secret, user_id in (("a", 0, 7), ("b", 1, 7), ("b", 0, None), ("c", 0, None), (None, 1, 7)):
            token = signed_with(bytes([secret]) * 32, "HS256", kid)
            self.assertEqual(self.user_of(token, *keys), user_id, (kid, secret))

    def test_a_key_is_accepted_until_its_end_and_the_others_stay(self):
        old, new = key_of("RS256", not_after=NOW + 10), key_of("ES256")
        by_old, by_new = (signed_with(PAIRS[name], name) for name in ("RS256", "ES256"))
        for self.now, user_id in ((NOW, 7), (NOW + 9.9, 7), (NOW + 10, None), (NOW + 11, None)):
            self.assertEqual(self.user_of(by_old, old, new), user_id, self.now)
            self.assertEqual(self.user_of(by_new, old, new), 7)

    def test_the_first_good_signature_decides_and_its_claims_are_not_tried_elsewhere(self):
        token = signed_with(bytes(32), "HS256", sub="")
        self.assertIsNone(self.user_of(token, *some(2)))

    def test_no_key_at_all_refuses(self):
        self.assertIsNone(self.user_of(signed_with(bytes(32), "HS256")))
