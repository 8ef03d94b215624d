"""What a user has with others: taken from changes, and the differences shown when changes were missed."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from chatsrv.actors.relations import Relations, is_shown, relation_frame
from chatsrv.store.events import RELATION, UserEvent
from chatsrv.wire import frames
from chatsrv.wire.codes import Profile
from tests.integration.test_handoff import ShownRelations

ME = 99
NAMES = ("friends", "incoming", "outgoing", "blocked")

#: For each of ten others, which list he is in, if any.
states = st.lists(st.sampled_from((None, *NAMES)), min_size=10, max_size=10)


def relations(state: list[str | None]) -> Relations:
    made = Relations()
    for other, name in enumerate(state, 1):
        if name is not None:
            getattr(made, name).add(other)
    return made


def change(about: int, name: str | None, t: int = 0) -> UserEvent:
    holds = {f"{each}": each == name for each in NAMES}
    return UserEvent(
        1,
        RELATION,
        about,
        holds["friends"],
        1,
        incoming=holds["incoming"],
        outgoing=holds["outgoing"],
        blocked=holds["blocked"],
        t=t,
        type=1,
        by=about,
    )


class Changes(TestCase):
    @settings(print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(states, states)
    def test_one_says_all_that_holds_with_the_other(self, before: Any, now: Any) -> None:
        found = relations(before)
        for other, name in enumerate(now, 1):
            found.take(change(other, name))
        self.assertEqual(found, relations(now))

    def test_the_frame_is_what_the_change_says(self) -> None:
        kinds = {
            0: None,
            1: frames.FriendAsked(user_id=2, asker=2),
            2: frames.FriendAnswered(user_id=2, type=1, answerer=2),
            3: frames.FriendRemoved(user_id=2),
            4: frames.Blocked(user_id=2),
            5: frames.Unblocked(user_id=2),
        }
        for t, frame in kinds.items():
            self.assertEqual(relation_frame(change(2, None, t)), frame)


class Differences(TestCase):
    @settings(print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(states, states)
    def test_lead_a_client_from_what_it_knew_to_what_holds(self, before: Any, now: Any) -> None:
        client = ShownRelations(ME)
        for name, others in zip(NAMES, client.lists, strict=True):
            others |= getattr(relations(before), name)
        for frame in relations(before).differences(relations(now), ME):
            client.take(frame.t, msgspec.json.decode(msgspec.json.encode(frame)))
        self.assertEqual(Relations(*client.lists), relations(now))

    @settings(print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(states)
    def test_of_nothing_are_none(self, state: Any) -> None:
        self.assertEqual(list(relations(state).differences(relations(state), ME)), [])

    def test_a_block_alone_tells_that_the_friendship_is_over(self) -> None:
        shown = relations(["friends"]).differences(relations(["blocked"]), ME)
        self.assertEqual(list(shown), [frames.Blocked(user_id=1)])


class WhoIsShownWhat(TestCase):
    def test_the_full_profile_everything(self) -> None:
        for body in self.bodies():
            self.assertTrue(is_shown(body, ME, Profile.FULL, asked_here=False))

    def test_the_core_profile_what_it_knows_and_of_its_own_requests_only_those_of_that_session(self) -> None:
        shown = {
            asked_here: [is_shown(body, ME, Profile.CORE, asked_here=asked_here) for body in self.bodies()]
            for asked_here in (False, True)
        }
        self.assertEqual(
            shown,
            {
                False: [True, False, True, False, False, False],
                True: [True, True, True, False, False, False],
            },
        )

    def bodies(self) -> list[frames.Body]:
        return [
            frames.FriendAsked(user_id=2, asker=2),
            frames.FriendAsked(user_id=2, asker=ME),
            frames.FriendAnswered(user_id=2, type=1, answerer=ME),
            frames.FriendRemoved(user_id=2),
            frames.Blocked(user_id=2),
            frames.Unblocked(user_id=2),
        ]
