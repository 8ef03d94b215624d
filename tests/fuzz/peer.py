"""``Peer``: one user whose connection sends frames of the corpus and knows what each must be answered.

Behind each frame goes a question that is answered at once; so what the rules refuse, and only that, is answered
before it. What the rules let pass is answered when its actor is done, once if it has an ``id``.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from random import Random
from typing import Any, NamedTuple

from twisted.internet.defer import TimeoutError

from tests.fuzz.corpus import request, written
from tests.fuzz.json_text import parsed
from tests.fuzz.mutations import mutated
from tests.fuzz.rules import BODIES, GARBAGE, Verdict, judge
from tests.support.raw import CLOSE, TEXT, RawClient
from tests.support.shapes import check

#: The largest frame, and the number of garbage frames that close a connection (PROTOCOL section 4).
FRAME_BYTES, GARBAGE_CLOSES = 65_536, 11
#: What may be said of a request that is none by its shape.
SEMANTIC = {"not_found", "wrong_chat_type", "forbidden", "conflict", "limit_reached", "bad_request"}
MARK = "mark:"
NAMES = {name for body in BODIES.values() for name in body["properties"]}


class Sent(NamedTuple):
    """A frame that was sent."""

    payload: bytes
    verdict: Verdict


class Peer:
    """``node`` is where it connects; ``answers`` counts them by code."""

    def __init__(
        self, node: Any, user_id: int, profile: str | None, dice: Random, answers: Counter[str]
    ) -> None:
        self.user_id = user_id
        self.answers = answers
        self._node, self._profile, self._dice = node, profile, dice
        self._client: RawClient | None = None
        self._count = 0
        self._texts: dict[str, str] = {}
        self._begin()

    def _begin(self) -> None:
        self._marked: deque[tuple[int, Sent]] = deque()
        self._waiting: dict[Any, Sent] = {}
        self._garbage = 0
        self._since_mark: list[str] = []

    async def send(self, count: int) -> int:
        """Send so many frames, or fewer if the connection will be closed for them; how many it were."""
        if self._client is None:
            self._begin()
            self._client = await RawClient.open(self._node.port, self.user_id, self._profile)
        first = self._count
        while self._count < first + count and self._garbage < GARBAGE_CLOSES:
            self._send_one(self._client)
        return self._count - first

    def _send_one(self, client: RawClient) -> None:
        payload = self._payload()
        sent = Sent(payload, judge(payload, self.user_id))
        if sent.verdict.codes & GARBAGE and len(sent.verdict.codes) > 1:
            return  # whether it counts as garbage, or whether its ``id`` is read, is not said
        self._garbage += sent.verdict.codes <= GARBAGE
        self._count += 1
        if sent.verdict.id is not None:
            self._waiting[self._key(sent.verdict.id)] = sent
        self._marked.append((self._count, sent))
        client.say(payload.decode())
        client.say({"op": 98, "t": 1, "id": f"{MARK}{self._count}"})

    def _payload(self) -> bytes:
        """A text that fits into a frame, and whose ``id``, if it has one, no other waiting one has."""
        while True:
            document = request(self._dice)
            if self._dice.random() < 0.8:
                document["id"] = self._id()
            payload = (
                written(document).encode() if self._dice.random() < 0.7 else mutated(self._dice, document)
            )
            if len(payload) <= FRAME_BYTES and _is_utf_8(payload):
                verdict = judge(payload, self.user_id)
                if verdict.id is None or self._key(verdict.id) not in self._waiting:
                    return payload

    def _id(self) -> Any:
        n = self._count
        return self._dice.choice(
            (n, -n - 1, 2**53 + n, 10**30 + n, str(n), f"é{n}", f'"\\{n}', str(n).rjust(64, "x"))
        )

    # What comes back

    async def answered(self) -> None:
        """Read until everything is answered, or the connection is closed as it must be."""
        assert self._client is not None
        while self._marked or self._waiting:
            opcode, payload = await self._next(self._client)
            if opcode == CLOSE:
                self._closed(int.from_bytes(payload[:2], "big"))
                return
            assert opcode == TEXT, (opcode, payload)
            self._received(json.loads(payload))
        check(self._garbage < GARBAGE_CLOSES, "so much garbage must close", self._garbage)

    async def _next(self, client: RawClient) -> tuple[int, bytes]:
        try:
            return await client.next_frame()
        except TimeoutError:
            waiting = [sent for _, sent in self._marked] or list(self._waiting.values())
            raise AssertionError(
                f"user {self.user_id} waits in vain for an answer to {waiting[:3]}"
            ) from None

    async def end(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()

    def _closed(self, code: int) -> None:
        """It was the garbage, all of it was answered, and what comes behind it is not."""
        check(code == 1008 and self._garbage == GARBAGE_CLOSES, "closed", (code, self._garbage))
        check(len(self._marked) == 1 and bool(self._since_mark), "closed before the answer", self._marked)
        self._check_refused(self._marked.popleft()[1])
        self.answers["closed"] += 1
        client, self._client = self._client, None
        assert client is not None
        client.transport.abortConnection()

    def _received(self, frame: dict[str, Any]) -> None:
        request_id = frame.get("id")
        if isinstance(request_id, str) and request_id.startswith(MARK):
            number, sent = self._marked.popleft()
            check(request_id == f"{MARK}{number}", "an answer out of order", frame)
            self._check_refused(sent)
            return
        code = self._code(frame) if frame["op"] == 3 else "ok"
        if request_id is None:
            if code != "ok" and code not in SEMANTIC - {"bad_request"}:
                self._since_mark.append(code)
            return
        sent = self._waiting.pop(self._key(request_id), None)
        check(sent is not None, "an answer nobody waits for", frame)
        self._check_answer(sent, frame, code)

    def _check_answer(self, sent: Sent, frame: dict[str, Any], code: str) -> None:
        if "ok" not in sent.verdict.codes:
            self._since_mark.append(code)
            return
        asked = parsed(sent.payload.decode()).value
        if code == "ok":
            kind = (asked["op"] + (asked["op"] > 1), asked["t"])
            check((frame["op"], frame["t"]) == kind, "the reply to something else", (sent, frame))
        else:
            allowed = (
                SEMANTIC if (asked["op"], asked["t"]) in {(1, 3), (13, 4)} else SEMANTIC - {"bad_request"}
            )
            check(code in allowed, "a refusal that nothing explains", (sent, frame))
        self.answers[code] += 1

    def _check_refused(self, sent: Sent) -> None:
        """What came since the mark before it: one refusal as the rules say, or nothing for a request."""
        codes, self._since_mark = self._since_mark, []
        if "ok" in sent.verdict.codes:
            codes = [code for code in codes if code not in SEMANTIC]
            check(not codes, "a request was refused", (sent, codes))
            return
        check(len(codes) == 1 and codes[0] in sent.verdict.codes, "another answer", (sent, codes))
        self.answers[codes[0]] += 1

    def _code(self, frame: dict[str, Any]) -> str:
        """The code of a refusal, which must consist of constants, names and numbers of the protocol."""
        d = frame["d"]
        member, _, text = d["message"].rpartition(": ")
        check(set(d) <= {"code", "message", "op", "t"}, "more than an error says", frame)
        check(member == "" or member in NAMES, "names no member", frame)
        check(self._texts.setdefault(d["code"], text) == text, "not the constant text", frame)
        for name in ("op", "t"):
            check(type(d.get(name, 0)) is int and 0 <= d.get(name, 0) <= 2**31, f"{name} is no number", frame)
        return str(d["code"])

    def _key(self, request_id: Any) -> tuple[str, Any]:
        return type(request_id).__name__, request_id


def _is_utf_8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
