"""Every limit is a setting, and each has a test that crosses it by one: which, is in this table.

Source: RELIABILITY section 4. Constants are what the protocol says (10 times garbage within a minute, a nonce of 64
characters), and the least length of a key.
"""

from __future__ import annotations

import importlib

from twisted.trial.unittest import SynchronousTestCase

from chatsrv import assembly, config
from chatsrv.actors import NodeOptions
from chatsrv.config import Settings
from chatsrv.session.options import ShellOptions

BY_ONE = "acceptance.test_limits_by_one"
SHELL = "unit.test_shell"

#: By setting: the test that takes all that is allowed, and one more.
CROSSED = {
    "head_bytes": f"{BY_ONE}.Heads.test_a_head_at_the_limit_is_read_and_one_byte_more_is_431",
    "head_lines": f"{BY_ONE}.Heads.test_as_many_header_lines_as_allowed_are_read_and_one_more_is_431",
    "head_timeout_s": f"{SHELL}.Handshake.test_a_slow_head_is_dropped_after_its_time",
    "frame_bytes": "acceptance.test_core_connection.Frames.test_a_frame_over_the_limit_closes_with_1009",
    "fragments": f"{BY_ONE}.Fragments.test_as_many_fragments_as_allowed_are_a_message_and_one_more_is_1008",
    "message_timeout_s": f"{SHELL}.Frames.test_a_message_that_is_not_finished_in_time_is_1008",
    "frames_per_s": f"{BY_ONE}.FramesPerSecond"
    ".test_as_many_frames_in_10_s_as_allowed_are_read_and_one_more_is_1008",
    "control_frames_per_10s": f"{BY_ONE}.ControlFrames"
    ".test_as_many_pings_as_allowed_are_answered_and_one_more_is_1008",
    "message_chars": f"{BY_ONE}.Members"
    ".test_what_is_as_long_as_allowed_is_taken_and_one_more_is_a_bad_request",
    "name_chars": f"{BY_ONE}.Members.test_what_is_as_long_as_allowed_is_taken_and_one_more_is_a_bad_request",
    "history_page": f"{BY_ONE}.Members"
    ".test_what_is_as_long_as_allowed_is_taken_and_one_more_is_a_bad_request",
    "members": "acceptance.test_core_limits.LimitsOfChats.test_a_group_has_no_more_than_the_limit",
    "chats": "acceptance.test_core_limits.LimitsOfChats.test_a_user_has_no_more_chats_than_the_limit",
    "friends": "acceptance.test_core_limits.LimitsOfFriends.test_more_friends_than_the_limit_are_refused",
    "open_requests": "acceptance.test_core_limits.LimitsOfFriends"
    ".test_more_open_requests_than_the_limit_are_refused",
    "blocked": "acceptance.test_full_blocks.TooMany.test_more_than_the_limit_are_refused",
    "requests_per_s": f"{BY_ONE}.Rate.test_the_burst_is_answered_and_one_more_is_told_when_to_come_again",
    "burst": f"{BY_ONE}.Rate.test_the_burst_is_answered_and_one_more_is_told_when_to_come_again",
    "refused_per_10s": "acceptance.test_core_order.Flood.test_too_many_refused_requests_close_with_1008",
    "friend_requests_per_h": "integration.test_allowance.FriendRequests"
    ".test_three_are_made_and_the_fourth_is_refused_on_every_device_and_node",
    "chats_per_h": "integration.test_allowance.Chats"
    ".test_three_are_created_and_the_fourth_is_refused_on_every_device_and_node",
    "invites_per_h": "integration.test_allowance.Invites"
    ".test_four_users_are_put_into_groups_and_the_fifth_is_not",
    "connections_per_user": "integration.test_user_sessions.Counting"
    ".test_one_too_many_closes_the_oldest_on_whatever_node",
    "connections_per_address": "acceptance.test_handshake_settings.TooManyOfOneAddress"
    ".test_one_connection_more_is_429",
    "handshakes_per_address_per_s": "unit.test_admission.AdmissionTests"
    ".test_handshakes_come_back_at_the_rate_up_to_the_burst",
    "handshake_burst": "acceptance.test_handshake_settings.TooManyHandshakes.test_one_handshake_more_is_429",
    "handshakes_per_user_per_s": "unit.test_admission.AdmissionTests"
    ".test_the_burst_of_one_user_is_taken_and_one_more_is_429_wherever_he_is",
    "handshake_burst_per_user": "acceptance.test_handshake_settings.TooManyHandshakesOfOneUser"
    ".test_one_handshake_more_is_429_for_who_shows_his_token",
    "max_connections": "acceptance.test_handshake_settings.AtCapacity.test_one_connection_more_is_503",
    "outbox_bytes": f"{SHELL}.SlowConsumers.test_more_than_the_limit_behind_the_first_unsent_frame_is_4408",
    "mailbox_entries": "unit.test_mailbox.Boxes.test_one_more_than_its_entries_is_not_taken",
    "redis_max_in_flight": "unit.test_redis_link.BoundTests.test_one_command_too_many_is_refused_for_sure",
    "redis_timeout_s": "unit.test_redis_pipeline.PipelineTests"
    ".test_each_command_is_late_at_its_own_deadline_counted_from_the_call",
    "ping_interval_s": f"{SHELL}.Heartbeats.test_a_silent_peer_is_pinged_and_then_dropped",
    "ping_timeout_s": f"{SHELL}.Heartbeats.test_a_silent_peer_is_pinged_and_then_dropped",
    "close_handshake_s": f"{SHELL}.Closing.test_a_peer_that_never_answers_is_left_after_the_handshakes_time",
    "close_timeout_s": f"{SHELL}.Closing.test_a_peer_that_never_reads_is_aborted_by_the_watchdog",
    "jwt_token_bytes": f"{BY_ONE}.Tokens.test_a_token_of_the_largest_size_is_read_and_one_byte_more_is_401",
    "jwt_leeway_s": "unit.test_tokens.TimeTests.test_the_leeway_holds_at_both_ends",
    "jwt_jwks_bytes": "unit.test_fetch.Documents.test_one_over_the_size_limit_is_refused",
    "jwt_jwks_timeout_s": "unit.test_fetch.Times.test_no_answer_and_an_endless_head_end_with_the_connection",
    "jwt_jwks_unknown_kid_s": "unit.test_jwks.UnknownKeys.test_or_refused_and_for_a_while_nothing_is_fetched_for_any",
    "jwt_connection_s": "unit.test_token_terms.Times.test_one_that_ends_later_does_too",
    "log_lines_per_peer_per_min": f"{BY_ONE}.LogLines"
    ".test_as_many_lines_about_one_peer_as_allowed_are_logged_and_one_more_is_not",
}
#: Settings with a unit that bound nothing of a peer's.
OTHERS = {
    *("request_timeout_s", "drain_s", "presence_grace_s", "lease_s", "lease_renew_s", "status_interval_s"),
    *("passivate_after_s", "log_events_per_chat", "messages_per_chat", "message_age_s", "nonce_window_s"),
    "jwt_jwks_refresh_s",
}


class TheOptions(SynchronousTestCase):
    """Where a limit cannot be seen from outside without measuring time."""

    def test_of_a_shell_are_the_settings_of_the_same_names(self) -> None:
        shared = {name for name in ShellOptions.__dataclass_fields__ if name in config.names()}
        odd = {name: 2 * config.default(name) + 3 for name in shared & CROSSED.keys()}
        options = assembly.shell_options(Settings(**odd))
        self.assertEqual({name: getattr(options, name) for name in odd}, odd)
        self.assertGreater(len(odd), 10)

    def test_the_time_for_an_answer_to_a_close_is_part_of_that_for_all_of_it(self) -> None:
        settings = Settings(close_handshake_s=5, close_timeout_s=3)
        self.assertEqual(assembly.shell_options(settings).close_handshake_s, 3)

    def test_frames_are_ten_times_the_requests_unless_said_otherwise(self) -> None:
        self.assertEqual(assembly.shell_options(Settings(requests_per_s=7)).frames_per_s, 70)
        self.assertEqual(assembly.shell_options(Settings(requests_per_s=7, frames_per_s=5)).frames_per_s, 5)

    def test_frames_are_never_fewer_than_the_burst_and_the_requests_of_10_s(self) -> None:
        for rate, burst in ((1, 500), (1, 91), (1, 90), (20, 1_801), (20, 100), (1, 10**6)):
            frames = 10 * assembly.shell_options(Settings(requests_per_s=rate, burst=burst)).frames_per_s
            self.assertGreaterEqual(frames, burst + 10 * rate)
            self.assertLess(frames, max(burst + 10 * rate + 10, 100 * rate + 1))

    def test_of_a_node_are_the_settings_of_the_same_names(self) -> None:
        shared = {name for name in NodeOptions.__dataclass_fields__ if name in config.names()}
        odd = {name: 2 * config.default(name) + 3 for name in shared & CROSSED.keys()}
        options = assembly.node_options(Settings(**odd))
        self.assertEqual({name: getattr(options, name) for name in odd}, odd)
        self.assertGreater(len(odd), 7)


class TheTable(SynchronousTestCase):
    def test_every_setting_with_a_unit_is_in_it_or_is_no_limit(self) -> None:
        measured = {name for name in config.names() if type(config.default(name)) in (int, float)}
        self.assertEqual(measured, CROSSED.keys() | OTHERS)
        self.assertFalse(CROSSED.keys() & OTHERS)

    def test_every_test_it_names_exists(self) -> None:
        for setting, name in CROSSED.items():
            module, case, test = name.rsplit(".", 2)
            found = getattr(importlib.import_module(f"tests.{module}"), case, None)
            self.assertTrue(callable(getattr(found, test, None)), (setting, name))
