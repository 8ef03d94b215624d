"""Hostile texts, made by the ten thousand, and a second statement of the rules that says what each must be answered.

``rules`` is written from PROTOCOL sections 2 to 4 and RELIABILITY 3.3 and 3.4, and imports nothing of chatsrv;
``corpus`` and ``mutations`` make the texts; ``test_codec_fuzz`` gives them to the codec, ``test_server_fuzz`` to a
live server.
"""
