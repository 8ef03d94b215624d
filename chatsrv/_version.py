"""The one place that says which version of chatsrv this is; ``setup.py`` reads it as text."""

__version__ = "0.1.0"
