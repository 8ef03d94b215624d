"""``chatsrv revoke``, ``block`` and ``unblock`` against servers in processes of their own (issue 5; PROTOCOL 1, 5)."""

from __future__ import annotations

import shutil
import tempfile
import time
from typing import Any, ClassVar
from uuid import uuid4

from chatsrv.client import ConnectionClosed, HandshakeRefused
from chatsrv.store.users import REVOKED_TOKENS
from tests.support.chat import CORE, FULL, ChatCase, ProcessCase, together
from tests.support.command import Ran, chatsrv
from tests.support.process import NodeProcess
from tests.support.store import client_of
from tests.support.tokens import token_for
from tests.support.user import User

CANARY = "canary-jti"
ALL_REVOKED = "revoked: all tokens of user 1 issued until now\n"


def token(user_id: int = 1, *, jti: str | None = CANARY, later_s: int = 0) -> str:
    """A token issued now, or, as far as the server can tell, so much later."""
    return token_for(user_id, jti=jti, iat=int(time.time()) + later_s)


class RevokingCase(ProcessCase):
    """``nodes`` are those that run; ``place`` is what tells the command where their store is."""

    nodes: list[NodeProcess]
    place: ClassVar[tuple[str, ...]] = ()
    shared: dict[str, Any]

    async def says(self, answer: str, *arguments: str, stdin: str | None = None) -> None:
        """The command answers this line, and nothing else."""
        self.assertEqual(await self.ran(*arguments, stdin=stdin), Ran(0, answer, ""))

    async def ran(self, *arguments: str, stdin: str | None = None, impatient: bool = False) -> Ran:
        return await chatsrv(*arguments, *self.place, stdin=stdin, impatient=impatient, **self.shared)

    async def on_each(self, user_id: int = 1, **given: Any) -> list[User]:
        """A connection to each node."""
        return [
            await self.user(user_id, profile, node=node, token=token(user_id, **given))
            for node, profile in zip(self.nodes, (FULL, CORE), strict=False)
        ]

    async def check_closed(self, users: list[User], code: int) -> None:
        for user in users:
            self.assertEqual((await user.connection.closed).code, code)

    async def check_refused(self, node: NodeProcess, jwt: str, code: int) -> None:
        """Where the node knows it, by 401; else instead of hello."""
        try:
            await self.user(1, node=node, token=jwt)
        except HandshakeRefused as refused:
            self.assertEqual(refused.status, 401)
        except ConnectionClosed as closed:
            self.assertEqual(closed.code, code)
        else:
            self.fail("it was let in")

    async def check_turned_away(self, node: NodeProcess, jwt: str) -> None:
        """By a node that knows it."""
        error = await self.assertFailure(_task(self.user(1, node=node, token=jwt)), HandshakeRefused)
        self.assertEqual(error.status, 401)

    def check_logs(self, *secrets: str) -> None:
        for node in self.nodes:
            for secret in secrets:
                self.assertNotIn(secret, node.log)
            self.assertNotIn("Traceback", node.log)


def _task(coroutine: Any) -> Any:
    from twisted.internet.defer import Deferred

    return Deferred.fromCoroutine(coroutine)


class TwoNodesOnAnExternalRedis(RevokingCase):
    async def setUp(self) -> None:
        server = self.server = self.redis_server()
        self.shared = {"redis": str(server.address), "redis_key_prefix": f"{uuid4().hex}:"}
        self.nodes = await together(*[self.started_process(**self.shared) for _ in range(2)])

    async def test_all_tokens_of_a_user(self) -> None:
        old, others = await self.on_each(), await self.on_each(2)
        jwt = token()
        await self.says(ALL_REVOKED, "revoke", "1")
        await self.check_closed(old, 4401)
        for node in self.nodes:
            await self.check_turned_away(node, jwt)
            await self.check_turned_away(node, token_for(1))
            (await self.user(1, node=node, token=token(later_s=2))).nothing_arrived()
        for other in others:
            await other.sync()
        newcomer = await self.started_process(**self.shared)
        await self.check_refused(newcomer, jwt, 4401)
        await self.check_turned_away(newcomer, jwt)
        self.check_logs(CANARY, jwt)

    async def test_one_token_by_its_id_or_itself(self) -> None:
        old, others, kept = await self.on_each(), await self.on_each(2), await self.on_each(jti="b")
        await self.says("revoked: one token of user 1\n", "revoke", "1", "--jti", CANARY)
        await self.check_closed(old, 4401)
        await self.says("one token of user 1 was revoked before\n", "revoke", "1", "--token", token())
        for user in (*others, *kept):
            await user.sync()
        jwt = token(jti="b")
        renewing = (await self.on_each(jti="c"))[0]
        await self.says("revoked: one token of user 1\n", "revoke", "1", "--token", "-", stdin=f"{jwt}\n")
        await self.check_closed(kept, 4401)
        self.assertEqual(await renewing.refusal_code(1, 3, token=jwt), "bad_request")
        await renewing.call(1, 3, token=token(jti="d"))
        await self.says("revoked: one token of user 1\n", "revoke", "1", "--jti", "c")
        await renewing.sync()
        await self.says("revoked: one token of user 1\n", "revoke", "1", "--jti", "d")
        await self.check_closed([renewing], 4401)
        self.check_logs(CANARY, jwt)

    async def test_a_blocked_user_stays_out_until_he_is_unblocked(self) -> None:
        users, others = await self.on_each(), await self.on_each(2)
        await self.says("blocked: user 1\n", "block", "1")
        await self.says("user 1 was blocked before\n", "block", "1")
        await self.check_closed(users, 4409)
        for node in self.nodes:
            await self.check_refused(node, token(later_s=5), 4409)
        newcomer = await self.started_process(**self.shared)
        await self.check_refused(newcomer, token(later_s=5), 4409)
        await self.says("unblocked: user 1\n", "unblock", "1")
        await self.says("user 1 was not blocked\n", "unblock", "1")
        for node in self.nodes:
            await (await self.user(1, node=node, token=token())).sync()
        for other in others:
            await other.sync()

    async def test_a_wrong_prefix_or_address_is_an_error_of_one_line(self) -> None:
        self.shared["redis_key_prefix"], prefix = "another:", self.shared["redis_key_prefix"]
        await self.fails("no server has used Redis", "block", "1")
        self.shared["redis"] = "unix:///no/such/socket"
        await self.fails("nothing was done", "block", "1")
        self.shared["redis"] = "embedded"
        await self.fails("no server runs with the data directory", "block", "1", "--data-dir", "/no/such")

        self.assertEqual(self.keys_of_users(prefix), self.keys_of_users("another:"))

    def keys_of_users(self, prefix: str) -> list[bytes]:
        with client_of(self.server) as client:
            return list(client.scan_iter(f"{prefix}{{u:*"))

    async def test_one_token_too_many_is_refused_and_says_what_to_do(self) -> None:
        now, key = int(time.time() * 1000), f"{self.shared['redis_key_prefix']}{{u:1}}:revoked"
        with client_of(self.server) as client:
            client.hset(key, mapping={f"token:{n}": f"{now}:0" for n in range(REVOKED_TOKENS)})
        await self.fails("revoke all of them, with chatsrv revoke 1", "revoke", "1", "--jti", CANARY)
        await self.says(ALL_REVOKED, "revoke", "1")

    async def test_while_the_store_does_not_answer_it_is_an_error_soon(self) -> None:
        self.shared["redis_timeout_s"] = 0.1
        self.server.pause()
        self.addCleanup(self.server.resume)
        await self.fails("cannot be used", "block", "1")

    async def fails(self, why: str, *arguments: str) -> None:
        ran = await self.ran(*arguments, impatient=True)
        self.assertEqual((ran.code, ran.out, ran.err.count("\n")), (1, "", 1), ran.err)
        self.assertTrue(ran.err.startswith("chatsrv: "), ran.err)
        self.assertIn(why, ran.err)


class OneNodeWithItsOwnRedis(RevokingCase):
    async def setUp(self) -> None:
        self.shared = {}
        self.nodes = [await self.started_process()]
        self.place = ("--data-dir", self.nodes[0].data_dir)

    async def test_it_holds_after_a_restart_and_needs_a_server_that_runs(self) -> None:
        node, jwt = self.nodes[0], token()
        users = await self.on_each()
        await self.says(ALL_REVOKED, "revoke", "1")
        await self.says("blocked: user 2\n", "block", "2")
        await self.check_closed(users, 4401)
        await node.terminate()
        ran = await self.ran("revoke", "1")
        self.assertEqual((ran.code, ran.out, ran.err.count("\n")), (1, "", 1), ran.err)
        self.assertIn("no server runs with the data directory", ran.err)
        await node.start()
        await self.check_refused(node, jwt, 4401)
        await self.check_turned_away(node, jwt)
        await (await self.user(1, token=token(later_s=2), node=node)).sync()
        error = await self.assertFailure(_task(self.user(2, token=token(2), node=node)), ConnectionClosed)
        self.assertEqual(error.code, 4409)
        self.check_logs(CANARY, jwt)

    async def test_with_a_store_that_was_killed_with_its_server_it_holds_too(self) -> None:
        node, jwt = self.nodes[0], token()
        await self.says(ALL_REVOKED, "revoke", "1")
        await node.kill()
        await node.start()
        await self.check_refused(node, jwt, 4401)


class AClosedSession(ChatCase):
    async def test_does_nothing_more(self) -> None:
        alice, bob = await self.users(1, 2)
        chat_id = await self.private(alice, bob)
        service = self.node.service
        session = next(session for session in service.sessions if session.user_id == 1)
        channel = service._node.channels.user(1)
        await service._node.store.users.revoke(1, "all", channel)
        self.assertEqual((await alice.connection.closed).code, 4401)
        session.received(b'{"op":11,"t":1,"d":{"chat_id":%d,"message":"x"}}' % chat_id)
        await bob.sync()
        bob.nothing_arrived()


class Mistakes(RevokingCase):
    async def test_in_the_arguments_are_one_line_and_never_repeat_a_token(self) -> None:
        self.shared = {}
        folder = tempfile.mkdtemp(prefix="chatsrv-none-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.place = ("--data-dir", folder)
        jwt, nameless = token(2), token(jti=None)
        for why, *arguments in (
            ("USER_ID", "revoke", "0"),
            ("USER_ID", "block"),
            ("unrecognized arguments", "revoke", "1", jwt),
            ("not allowed with", "revoke", "1", "--jti", CANARY, "--token", jwt),
            ("--token: this is no token", "revoke", "1", "--token", f"{CANARY}.{CANARY}"),
            ("--token: this is no token", "revoke", "1", "--token", "-"),
            ("--token: this is no token of user 1", "revoke", "1", "--token", jwt),
            ("--token: it has no id", "revoke", "1", "--token", nameless),
            ("--jti: must be", "revoke", "1", "--jti", ""),
        ):
            ran = await self.ran(*arguments, stdin="")
            self.assertEqual((ran.code, ran.out, ran.err.count("\n")), (2, "", 1), ran.err)
            self.assertIn(why, ran.err)
            for secret in (CANARY, jwt, nameless):
                self.assertNotIn(secret, ran.err)
