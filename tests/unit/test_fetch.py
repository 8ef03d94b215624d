"""Fetching a document: from real servers of this machine, with every bound crossed by one."""

import gzip

from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.server import NOT_DONE_YET

from chatsrv.auth import fetch
from chatsrv.auth.fetch import FetchFailed, collect, fetcher
from tests.support.issuer import Certificate, Issuer
from tests.support.process import free_port

LIMIT = 5000
CERTIFICATE = Certificate()
TRUSTING = BrowserLikePolicyForHTTPS(ssl.Certificate.loadPEM(CERTIFICATE.pem))


class _Rude(Protocol):
    """Says ``says`` at the first byte and never closes; ``lost`` fires when the other side does."""

    def connectionMade(self):
        self.factory.lost = self.lost = Deferred()

    def dataReceived(self, data):
        self.transport.write(self.factory.says)
        waiting, self.factory.asked = self.factory.asked, Deferred()
        waiting.callback(None)

    def connectionLost(self, reason):
        self.lost.callback(None)


class _FetchCase(TestCase):
    timeout = 20

    def setUp(self):
        self.clock = Clock()

    def issuer(self, certificate=None):
        issuer = Issuer("a", certificate=certificate)
        self.addCleanup(issuer.stop)
        return issuer

    def rude(self, says, certificate=None):
        """Factory and URL of a server that answers with these bytes."""
        factory = Factory.forProtocol(_Rude)
        factory.says, factory.asked = says, Deferred()
        if certificate is None:
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        else:
            port = reactor.listenSSL(0, factory, certificate.server, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        scheme = "http" if certificate is None else "https"
        return factory, f"{scheme}://127.0.0.1:{port.getHost().port}/"

    def fetch(self, url, **options):
        return fetcher(reactor, url, timeout_s=5, max_bytes=LIMIT, clock=self.clock, **options)()

    async def failure(self, url, **options):
        error = await self.assertFailure(self.fetch(url, **options), FetchFailed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return str(error)


class Documents(_FetchCase):
    async def test_it_comes_as_it_is(self):
        issuer = self.issuer()
        self.assertEqual(await self.fetch(issuer.url), issuer.document)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_one_over_the_size_limit_is_refused(self):
        issuer = self.issuer()
        issuer.document = b"x" * LIMIT
        self.assertEqual(len(await self.fetch(issuer.url)), LIMIT)
        issuer.document += b"x"
        self.assertEqual(await self.failure(issuer.url), f"is larger than {LIMIT} bytes")

    async def test_also_when_it_never_says_how_long_it_is(self):
        factory, url = self.rude(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LIMIT + 1))
        self.assertEqual(await self.failure(url), f"is larger than {LIMIT} bytes")
        await factory.lost

    async def test_it_asks_for_no_compression_and_unpacks_none(self):
        issuer = self.issuer()
        asked_for = []

        def packed(request):
            asked_for.append(request.getHeader("accept-encoding"))
            request.setHeader("content-encoding", "gzip")
            return gzip.compress(b"x" * 10 * LIMIT)

        issuer.answer = packed
        self.assertEqual((await self.fetch(issuer.url))[:2], b"\x1f\x8b")
        self.assertEqual(asked_for, [None])


class Refusals(_FetchCase):
    async def test_any_status_but_200_is_refused_and_no_redirect_is_followed(self):
        issuer, other = self.issuer(), self.issuer()
        for status, words in ((404, ""), (500, ""), (204, ""), (302, "; redirects are not followed")):

            def answer(request, status=status):
                request.setResponseCode(status)
                request.setHeader("location", other.url)
                return b"" if status == 204 else b"canary"

            issuer.answer = answer
            self.assertEqual(await self.failure(issuer.url), f"was answered with status {status}{words}")
        self.assertEqual(other.asked, 0)

    async def test_a_refused_answer_that_never_ends_does_not_keep_its_connection(self):
        for certificate in (None, CERTIFICATE):
            factory, url = self.rude(b"HTTP/1.1 404 No\r\nContent-Length: 100\r\n\r\nx", certificate)
            await self.failure(url, tls=TRUSTING)
            await factory.lost

    async def test_nobody_there_is_said_in_the_systems_words(self):
        self.assertIn("Connection refused", await self.failure(f"http://127.0.0.1:{free_port()}/"))

    async def test_what_is_not_http_is_refused_without_repeating_it(self):
        for says in (
            b"\0canary\r\n\r\n",
            b"HTTP/9 canary\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n",
        ):
            _factory, url = self.rude(says)
            text = await self.failure(url)
            self.assertTrue(text.startswith("cannot be fetched: "), text)
            self.assertNotIn("canary", text)

    async def test_a_body_that_is_cut_is_refused(self):
        issuer = self.issuer()

        def cut(request):
            request.setHeader("content-length", "100")
            request.write(b"x" * 10)
            request.transport.loseConnection()
            return NOT_DONE_YET

        issuer.answer = cut
        self.assertIn("cannot be fetched", await self.failure(issuer.url))


class Times(_FetchCase):
    async def late(self, says, *, body=False, certificate=None):
        """A server that stops after these bytes, part of a ``body`` or not, is left when the time is over."""
        factory, url = self.rude(says, certificate)
        begun = Deferred()

        def collected(*args):
            reactor.callLater(0, begun.callback, None)
            return collect(*args)

        self.patch(fetch, "collect", collected)
        fetching = self.fetch(url, tls=TRUSTING)
        await (begun if body else factory.asked)
        self.clock.advance(4.9)
        self.assertNoResult(fetching)
        self.clock.advance(0.1)
        error = await self.assertFailure(fetching, FetchFailed)
        self.assertEqual(str(error), "did not come within 5 s")
        await factory.lost

    async def test_no_answer_and_an_endless_head_end_with_the_connection(self):
        for says in (b"", b"HTTP/1.1 200 OK\r\nA: b"):
            await self.late(says)

    async def test_an_endless_body_does_too(self):
        for certificate in (None, CERTIFICATE):
            await self.late(
                b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", body=True, certificate=certificate
            )

    async def test_a_fetch_that_is_cancelled_ends_too(self):
        factory, url = self.rude(b"")
        fetching, asked = self.fetch(url), factory.asked
        await asked
        fetching.cancel()
        await self.assertFailure(fetching, FetchFailed)
        await factory.lost
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Tls(_FetchCase):
    async def test_a_certificate_that_is_trusted_is_taken(self):
        issuer = self.issuer(CERTIFICATE)
        self.assertEqual(await self.fetch(issuer.url, tls=TRUSTING), issuer.document)

    async def test_whom_to_trust_is_asked_once_for_all_fetches(self):
        asked_for = []

        class Counting(BrowserLikePolicyForHTTPS):
            def creatorForNetloc(self, hostname, port):
                asked_for.append((hostname, port))
                return super().creatorForNetloc(hostname, port)

        issuer = self.issuer(CERTIFICATE)
        counting = Counting(ssl.Certificate.loadPEM(CERTIFICATE.pem))
        again = fetcher(reactor, issuer.url, timeout_s=5, max_bytes=LIMIT, clock=self.clock, tls=counting)
        for _ in range(3):
            self.assertEqual(await again(), issuer.document)
        self.assertEqual(asked_for, [(b"127.0.0.1", issuer.port.getHost().port)])

    async def test_one_that_nobody_vouches_for_is_not(self):
        issuer = self.issuer(CERTIFICATE)
        self.assertIn("certificate verify failed", await self.failure(issuer.url))
        self.assertEqual(issuer.asked, 0)

    async def test_one_for_another_name_is_not(self):
        issuer = self.issuer(CERTIFICATE)
        await self.failure(issuer.url.replace("127.0.0.1", "localhost"), tls=TRUSTING)
        self.assertEqual(issuer.asked, 0)
