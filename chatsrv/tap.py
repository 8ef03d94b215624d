"""``twistd chatsrv``: its options, and the service made from them.

Called by ``twistd`` through ``twisted/plugins/chatsrv_plugin.py``; calls ``config`` and ``service``. It runs
before the process becomes a daemon, so it only reads and checks: files, locks, sockets and children are made
in ``startService``. A mistake ends the process with exit code 1 and one line on standard error.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.application.service import IService
from twisted.python import usage

from chatsrv._version import __version__
from chatsrv.auth.keys import jwks_url, load_keys
from chatsrv.config import ConfigError, Settings, load_settings
from chatsrv.endpoints import server_endpoint
from chatsrv.preflight import preflight


class Options(usage.Options):
    """What can be given on the command line; every other setting is in the environment or the file."""

    synopsis = "[options]"
    longdesc = (
        "A chat server. Every setting is a key of the configuration file and an environment variable "
        "CHATSRV_<NAME>; `chatsrv config` prints them all. An option wins over the environment, the "
        "environment over the file."
    )
    optParameters = [
        ["config", "c", None, "Configuration file (TOML)"],
        ["data-dir", "d", None, "Directory of the embedded Redis and the token secret (default: ./var)"],
        ["redis", None, None, "redis://, rediss:// or unix:// URL, or embedded (default)"],
        ["jwt-jwks-url", None, None, "URL of the JSON Web Key Set with the public keys for the tokens"],
    ]

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self["listen"] = []
        self["jwt-key-file"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Twisted server endpoint to listen on, repeatable (default: tcp:8080:interface=127.0.0.1)"""
        self["listen"].append(endpoint)

    def opt_jwt_key_file(self, file: str) -> None:
        """File with an HMAC secret or a PEM public key for the tokens, repeatable; "FILE until TIME" ends it then"""
        self["jwt-key-file"].append(file)

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"chatsrv {__version__}")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        try:
            usage.Options.parseOptions(self, options)
        except usage.UsageError as e:  # twistd would print all of its own options first
            raise _exit(f"{e}; see twistd chatsrv --help") from None

    def settings(self) -> Settings:
        """The settings these options lead to. Raises ``ConfigError``."""
        return load_settings({name.replace("-", "_"): value for name, value in self.items()})


def makeService(options: Options) -> IService:
    """The service for ``twistd``; nothing is opened or made before its ``startService``."""
    try:
        settings = options.settings()
        _check(settings)
        from chatsrv.service import make_service

        return make_service(settings, own_process=True)
    except ConfigError as e:
        raise _exit(str(e)) from None


def _check(settings: Settings) -> None:
    """Find now, while there is a terminal, what would otherwise fail once the process is a daemon."""
    if not jwks_url(settings) and (settings.jwt_secret or settings.jwt_key_file):
        load_keys(settings, create=False)
    for endpoint in settings.listen:
        _check_endpoint(endpoint)
    preflight(settings)


def _check_endpoint(endpoint: str) -> None:
    from twisted.internet import reactor

    try:
        server_endpoint(reactor, endpoint)
    except ConfigError:
        raise
    except Exception as e:  # parsers of endpoints raise what they like
        raise ConfigError(
            f"listen: {endpoint!r} is no Twisted server endpoint, such as tcp:8080:interface=127.0.0.1 ({e})"
        ) from None


def _exit(message: str) -> SystemExit:
    return SystemExit(f"chatsrv: {' '.join(message.split())}")
