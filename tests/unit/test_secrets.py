"""What settings, addresses and exceptions say of themselves may end in a log: nothing private is in it."""

import json

from twisted.trial.unittest import SynchronousTestCase

from chatsrv.auth.keys import load_keys
from chatsrv.auth.keyset import KeySet
from chatsrv.auth.tokens import InvalidToken, TokenVerifier
from chatsrv.config import ConfigError, Settings, load_settings
from chatsrv.redis import RedisAddress
from chatsrv.wire.codec import Malformed, decode
from chatsrv.wire.limits import Limits
from tests.support.tokens import token_for

WORD = "c4n4ry"
SECRET = f"{WORD} secret of the tokens, long enough to be one"
PASSWORD = f"{WORD}-of-redis"
LONG = WORD * 2_000


def token(user_id, **claims):
    return token_for(user_id, secret=SECRET, jti=WORD, **claims)


class Texts(SynchronousTestCase):
    def check(self, *said):
        for text in said:
            self.assertNotIn(WORD, f"{text!s} {text!r}")

    def test_settings_and_addresses_do_not_show_secrets(self):
        url = f"redis://user:{PASSWORD}@localhost:1/0"
        self.check(Settings(jwt_secret=SECRET, redis=url), RedisAddress.from_url(url))

    def test_a_wrong_setting_is_not_repeated(self):
        for options in (
            *({"requests_per_s": WORD}, {"redis_fsync": WORD}, {"log_level": WORD}, {"listen": [WORD]}),
            *({"token_in_url": WORD}, {"jwt_secret": WORD}, {"jwt_secret": SECRET, "jwt_key_file": "x"}),
        ):
            environment = {f"CHATSRV_{name.upper()}": str(value) for name, value in options.items()}
            for given in ((options, {}), ({}, environment)):
                try:
                    load_keys(load_settings(*given), create=False)
                except ConfigError as error:
                    self.check(error)
        for url in (
            f"http://:{PASSWORD}@x",
            f"redis://:{PASSWORD}@:x",
            f"unix://:{PASSWORD}@",
            f"redis://x#{WORD}",
        ):
            self.check(self.assertRaises(ValueError, RedisAddress.from_url, url))

    def test_a_refusal_names_no_input(self):
        d = {"chat_id": 1, "message": WORD, "nonce": LONG}
        for payload in (
            WORD,
            {WORD: 1},
            {"op": WORD, "t": 1},
            {"op": 11, "t": 2, "d": d},
            {"op": 99, "t": 1, WORD: 1},
        ):
            self.check(self.assertRaises(Malformed, decode, json.dumps(payload).encode(), Limits(), 1))

    def test_a_bad_token_is_not_repeated(self):
        verifier = TokenVerifier(KeySet(load_keys(Settings(jwt_secret=SECRET), create=False)))
        for bad in (
            WORD,
            f"{WORD}.{WORD}.{WORD}",
            token(WORD),
            token(1, ttl_s=-900),
            token_for(1, jti=WORD),
            LONG,
        ):
            self.check(self.assertRaises(InvalidToken, verifier.verify, bad))
