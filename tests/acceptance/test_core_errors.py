"""Frames that are no request: their error codes, and who they are answered to (PROTOCOL 2, 4)."""

import json

from tests.support.rawcase import RawCase

NOT_JSON = (
    "",
    " ",
    "{",
    "{} x",
    "[1,]",
    "{'op':1}",
    "NaN",
    '{"op":1e999,"t":1}',
    '{"op":11,"t":1,"d":{"chat_id":NaN}}',
)
DEEP = '{"op":11,"t":1,"d":' + '{"a":' * 3000 + "1" + "}" * 3000 + "}"
NOT_FRAMES = (
    *("[]", "1", '"x"', "null", "{}", '{"op":11}', '{"t":1}', '{"op":"11","t":1}', '{"op":11,"t":"1"}'),
    *('{"op":11.5,"t":1}', '{"op":true,"t":1}', '{"op":null,"t":1}', '{"op":11,"t":{}}'),
    *('{"op":11,"t":1,"d":null}', '{"op":11,"t":1,"d":[]}', '{"op":11,"t":1,"d":"x"}', '{"op":-1,"t":1}'),
    *('{"op":1%s,"t":1}' % ("0" * 400), '{"op":99,"t":1,"d":7}'),
)
BAD_FRAME_IDS = ("", "x" * 65, 1.5, True, None, {}, [])
UNKNOWN = (
    (0, 0),
    (1, 1),
    (1, 4),
    (2, 1),
    (3, 1),
    (11, 0),
    (11, 99),
    (12, 1),
    (12, 2),
    (12, 6),
    (12, 7),
    (14, 1),
)
UNKNOWN = (*UNKNOWN, (14, 2), (17, 1), (17, 2), (13, 9), (16, 9), (4, 1), (99, 1))
UNSUPPORTED = ((11, 3), (11, 4), (11, 5))


class Shape(RawCase):
    async def test_what_is_no_json_text_is_bad_json(self):
        for texts in (NOT_JSON, (DEEP,)):
            client = await self.raw(1)
            for text in texts:
                frame = await self.error_to(client, text)
                self.assertEqual(frame["d"]["code"], "bad_json", text[:60])
                self.assertNotIn("id", frame)

    async def test_a_byte_order_mark_is_bad_json(self):
        frame = await self.error_to(await self.raw(1), '\ufeff{"op":11,"t":1}')
        self.assertEqual(frame["d"]["code"], "bad_json")

    async def test_what_is_no_frame_is_bad_frame(self):
        for start in range(0, len(NOT_FRAMES), 8):
            client = await self.raw(1)
            for text in NOT_FRAMES[start : start + 8]:
                frame = await self.error_to(client, text)
                self.assertEqual(frame["d"]["code"], "bad_frame", text[:60])

    async def test_a_bad_id_is_bad_frame_and_not_echoed(self):
        client = await self.raw(1)
        for bad in BAD_FRAME_IDS:
            frame = await self.error_to(client, {"op": 16, "t": 1, "d": {"user_id": 2}, "id": bad})
            self.assertEqual((frame["d"]["code"], "id" in frame), ("bad_frame", False), bad)

    async def test_a_good_id_is_echoed_as_it_was(self):
        client = await self.raw(1)
        for good in ("x", "x" * 64, "😀" * 64, "1", 'a"b\\c', " ", 0, 1, -1, 2**53 - 1):
            client.say({"op": 13, "t": 1, "d": {"user_ids": [2], "type": 1}, "id": good})
            reply = await client.json()
            self.assertEqual((reply["op"], reply["t"], reply["id"]), (14, 1, good))
            self.assertIs(type(reply["id"]), type(good))
            error = await self.error_to(client, {"op": 99, "t": 1, "id": good})
            self.assertEqual(error["id"], good)

    async def test_an_error_keeps_the_id_whenever_the_envelope_can_be_read(self):
        client = await self.raw(1)
        for text in ('{"op":"x","t":1,"id":7}', '{"id":7}', '{"op":11,"t":1,"d":null,"id":7}'):
            frame = await self.error_to(client, text)
            self.assertEqual((frame["d"]["code"], frame["id"]), ("bad_frame", 7), text)

    async def test_what_is_no_request_is_unknown_op(self):
        client = await self.raw(1)
        for op, t in UNKNOWN:
            frame = await self.error_to(client, {"op": op, "t": t, "id": 1})
            self.assertEqual(frame["d"]["code"], "unknown_op", (op, t))
            self.assertEqual((frame["d"].get("op"), frame["d"].get("t")), (op, t))

    async def test_what_is_reserved_is_unsupported(self):
        client = await self.raw(1)
        for op, t in UNSUPPORTED:
            frame = await self.error_to(client, {"op": op, "t": t, "id": 1, "d": {"chat_id": 1}})
            self.assertEqual(frame["d"]["code"], "unsupported", (op, t))

    async def test_d_may_be_left_out(self):
        frame = await self.error_to(await self.raw(1), {"op": 11, "t": 1})
        self.assertEqual(frame["d"]["code"], "bad_request")

    async def test_of_a_repeated_member_the_last_wins(self):
        client = await self.raw(1)
        frame = await self.error_to(
            client, '{"op":11,"op":16,"t":1,"t":2,"d":{"user_id":1,"user_id":2,"type":2,"type":1}}'
        )
        self.assertEqual((frame["d"]["code"], frame["d"]["op"], frame["d"]["t"]), ("not_found", 16, 2))

    async def test_an_error_never_repeats_what_was_sent(self):
        client = await self.raw(1)
        secret = "s3cr3t"
        d = {"chat_id": secret, "message": secret, secret: 1}
        for frame in ({"op": 11, "t": 1, "d": d}, {"op": 98765, "t": 1, secret: 1}, {"op": secret, "t": 1}):
            error = await self.error_to(client, frame)
            self.assertNotIn(secret, json.dumps(error))
        error = await self.error_to(client, secret)
        self.assertNotIn(secret, json.dumps(error))


class ShapeInTheCoreProfile(RawCase):
    async def test_a_failure_without_id_gives_an_error_without_id(self):
        for profile in ("chatsrv.core", None, "chatsrv.v1"):
            client = await self.raw(1, profile)
            frame = await self.error_to(client, {"op": 11, "t": 1, "d": {"chat_id": 5, "message": "x"}})
            self.assertNotIn("id", frame)
            self.assertEqual((frame["d"]["code"], frame["d"]["op"], frame["d"]["t"]), ("not_found", 11, 1))


class Garbage(RawCase):
    async def test_ten_bad_frames_are_answered_and_the_eleventh_closes(self):
        client = await self.raw(1)
        for number in range(10):
            await self.error_to(client, "{" if number % 2 else "[]")
        client.say("{")
        self.assertEqual(await client.close_code(), 1008)

    async def test_no_other_error_counts(self):
        client = await self.raw(1)
        for number in range(20):
            await self.error_to(client, {"op": 99, "t": 1})
            await self.error_to(client, {"op": 11, "t": 1, "d": {"chat_id": number}})
            await self.error_to(client, {"op": 16, "t": 2, "d": {"user_id": 2, "type": 1}})
        await self.error_to(client, "{")
