"""The limits that tests which are about something else should not meet."""

#: No user of these tests does so much in an hour; and what one did is remembered for seconds, longer than tests
#: that compare what is stored take.
UNHURRIED = dict.fromkeys(("friend_requests_per_h", "invites_per_h", "chats_per_h"), 1000)

#: Nor does anyone come too often.
UNHURRIED_HANDSHAKES = {"handshakes_per_user_per_s": 10**6, "handshake_burst_per_user": 10**6}
