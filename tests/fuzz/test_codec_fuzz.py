"""Documents by the ten thousand through the codec, each against what the rules say of it.

Environment: ``CHATSRV_FUZZ_DOCUMENTS`` says how many, ``CHATSRV_FUZZ_SEED`` which ones (``random``: others each
time; without it the same). The seed is printed, and a failing one makes the same documents again.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.trial.unittest import TestCase

from chatsrv.wire.codec import Incoming, Malformed, decode
from chatsrv.wire.frames import error
from chatsrv.wire.limits import Limits
from tests.fuzz.corpus import request
from tests.fuzz.json_text import parsed
from tests.fuzz.mutations import mutated
from tests.fuzz.rules import BODIES, Bounds, judge
from tests.unit.test_codec import CONSTANTS, ENVELOPE, JSON, REQUEST, as_struct

DOCUMENTS = int(os.environ.get("CHATSRV_FUZZ_DOCUMENTS", "10000"))
SEED = os.environ.get("CHATSRV_FUZZ_SEED", "0")
EACH = 50
"""So many documents come from one that hypothesis made."""
CALLER = 7
SMALL = {"message_chars": 10, "name_chars": 10, "members": 3, "history_page": 20}
LIMITS = ((Limits(), Bounds()), (Limits(**SMALL), Bounds(**SMALL)))


class TheCodec(TestCase):
    timeout = 3600 * 3

    def test_every_document_is_judged_as_the_rules_judge_it(self) -> None:
        number = random.randrange(2**32) if SEED == "random" else int(SEED)
        print(f"\nfuzz: {DOCUMENTS} documents, seed {number}")
        self.codes: Counter[str] = Counter()

        @seed(number)
        @settings(
            max_examples=max(1, DOCUMENTS // EACH),
            deadline=None,
            database=None,
            phases=(Phase.generate,),  # a text that is judged wrongly is shown as it is
            suppress_health_check=list(HealthCheck),
        )
        @given(REQUEST | ENVELOPE | JSON, st.integers(0, 2**32))
        def judged_alike(base: Any, number: int) -> None:
            dice = Random(number)
            for _ in range(EACH):
                document = base if dice.random() < 0.3 else request(dice)
                self.check(mutated(dice, document), *dice.choice(LIMITS))

        judged_alike()
        print(dict(self.codes))

    def check(self, payload: bytes, limits: Limits, bounds: Bounds) -> None:
        """The codec says of the payload what the rules say, and nothing of what is in it."""
        try:
            found: Incoming | Malformed = decode(payload, limits, CALLER)
        except Malformed as fault:
            found = fault
        if not is_utf_8(payload):
            return  # the shell lets none of these through; that nothing else was raised is enough
        wanted = judge(payload, CALLER, bounds)
        shown = (found, wanted, payload[:300])
        code = found.code.code if isinstance(found, Malformed) else "ok"
        self.codes[code] += 1
        self.assertIn(code, wanted.codes, shown)
        answered = None if code == "bad_json" else wanted.id
        self.assertEqual(repr(answered), repr(None if found.id is UNSET else found.id), shown)
        if isinstance(found, Malformed):
            self.assertIn(found.member, wanted.members, shown)
            self.assertIn(error(found).message.rpartition(": ")[2], CONSTANTS)
        else:
            self.check_members(found.request, payload)

    def check_members(self, request: Any, payload: bytes) -> None:
        document = parsed(payload.decode()).value
        d = document.get("d", {})
        self.assertEqual((request.op, request.t), (document["op"], document["t"]))
        for name in BODIES[request.op, request.t]["properties"]:
            if name in d:
                self.assertEqual(getattr(request, name), as_struct(name, d[name]), payload[:300])


def is_utf_8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
