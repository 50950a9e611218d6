"""What goes next: importance, window, pace, and what is sent again; and the journal above it."""

from pathlib import Path

from devices.link.hosts import Hosts
from devices.link.journal import Stamp
from devices.link.order import EVENT, READING, SAFETY, Entry, SendOrder, SendRules, ranges_of
from devices.link.outbox import Held, MessageKey
from devices.wire.events import Committed, Event, HostState, SeqRange
from devices.wire.ids import part_of
from tests.unit.devices.conftest import ORIGIN, Bench, make_bench


def held(seq: int, leaf: str = "event", rank: int = EVENT, boot: int = 1) -> Held:
    return Held(MessageKey(1, boot, seq), leaf, rank, 10)


def telemetry(seq: int) -> Held:
    return held(seq, "telemetry", READING)


def taken(order: SendOrder, now_s: float = 0.0) -> list[tuple[int, str]]:
    out = []
    while (entry := order.take(now_s)) is not None:
        out.append((entry.key.seq, entry.topic_leaf))
    return out


def test_safety_goes_before_everything_and_events_before_readings() -> None:
    order = SendOrder(SendRules())
    order.add(telemetry(1), b"", live=True)
    order.add(held(2, "slot"), b"", live=True)
    order.add(held(3, rank=SAFETY), b"", live=True)
    order.add(held(4, "swap"), b"", live=True)
    assert taken(order) == [(3, "event"), (2, "slot"), (4, "swap"), (1, "telemetry")]


def test_no_more_than_the_window_is_under_way() -> None:
    order = SendOrder(SendRules(window=2), [held(seq) for seq in range(1, 5)])
    assert [seq for seq, _ in taken(order)] == [1, 2]
    order.acknowledged(MessageKey(1, 1, 1))
    order.acknowledged(MessageKey(1, 1, 1))
    assert [seq for seq, _ in taken(order)] == [3]


def test_old_telemetry_is_history_and_paced_and_other_kinds_keep_their_topic() -> None:
    order = SendOrder(SendRules(history_per_s=2.0), [telemetry(1), telemetry(2), held(3, "meter", READING), telemetry(4)])
    assert taken(order, 10.0) == [(3, "meter"), (1, "history")]
    assert order.wait_s(10.0) == 0.5
    assert taken(order, 10.4) == []
    assert taken(order, 10.5) == [(2, "history")]


def test_history_waits_while_twenty_are_not_committed() -> None:
    order = SendOrder(SendRules(window=100, history_per_s=1e9), [telemetry(seq) for seq in range(1, 31)])
    sent = [seq for now in range(30) for seq, _ in taken(order, float(now))]
    assert sent == list(range(1, 21))
    assert order.wait_s(99.0) is None
    order.settle(1, 1, 5)
    assert [seq for now in range(30, 60) for seq, _ in taken(order, float(now))] == [21, 22, 23, 24, 25]


def test_live_telemetry_that_was_interrupted_becomes_history_and_taken_events_are_not_sent_twice_at_once() -> None:
    order = SendOrder(SendRules(history_per_s=1e9))
    order.add(telemetry(1), b"", live=True)
    order.add(held(2), b"", live=True)
    order.add(held(3), b"", live=True)
    taken(order)
    order.acknowledged(MessageKey(1, 1, 2))
    order.interrupted()
    assert taken(order, 1.0) == [(3, "event"), (1, "history")]


def test_what_nobody_committed_goes_again_later_and_later() -> None:
    order = SendOrder(SendRules(resend_after_s=30.0))
    order.add(held(1), b"", live=True)
    times = []
    for second in range(0, 600, 5):
        order.revive(float(second))
        if taken(order, float(second)):
            times.append(second)
            order.acknowledged(MessageKey(1, 1, 1))
    assert times == [0, 30, 90, 210, 450]


def test_a_lost_history_message_is_sent_again_although_twenty_wait_behind_it() -> None:
    order = SendOrder(SendRules(window=100, history_per_s=1e9), [telemetry(seq) for seq in range(1, 31)])
    for now in range(25):
        taken(order, float(now))
    for seq in range(1, 21):
        order.acknowledged(MessageKey(1, 1, seq))
    assert order.revive(60.0) == 20
    assert taken(order, 60.0)[0] == (1, "history")


def test_replay_sends_what_is_held_and_names_what_is_not() -> None:
    order = SendOrder(SendRules())
    for seq in (2, 3, 6):
        order.add(held(seq), b"", live=True)
    taken(order)
    for seq in (2, 3, 6):
        order.acknowledged(MessageKey(1, 1, seq))
    missing = order.replay(1, 1, 1, 8)
    assert [(gap.first, gap.last) for gap in missing] == [(1, 1), (4, 5), (7, 8)]
    assert [seq for seq, _ in taken(order)] == [2, 3, 6]


def test_keys_become_ranges_per_boot() -> None:
    keys = [MessageKey(1, 1, 3), MessageKey(1, 1, 1), MessageKey(1, 1, 2), MessageKey(1, 2, 3), MessageKey(1, 1, 5)]
    assert [(r.boot, r.first, r.last) for r in ranges_of(keys)] == [(1, 1, 3), (1, 5, 5), (2, 3, 3)]


def test_an_entry_forgotten_under_way_frees_its_place() -> None:
    order = SendOrder(SendRules(window=1), [held(1), held(2)])
    first = order.take(0.0)
    assert isinstance(first, Entry)
    order.settle(1, 1, 1)
    assert [seq for seq, _ in taken(order)] == [2]


# -- the journal above -------------------------------------------------------------------------------------------------


def an_event(s: Stamp, detail: str = "") -> Event:
    return Event(
        ts=s.ts, epoch=s.epoch, boot=s.boot, seq=s.seq, kind="fault", code="Fan", phase="once", severity="info", detail=detail
    )


def test_too_large_is_never_said_and_counted(bench: Bench) -> None:
    def huge(s: Stamp) -> Event:
        return an_event(s).model_copy(update={"detail": "x" * 70_000})

    assert bench.journal.say("event", huge) is False
    assert bench.journal.say("event", an_event) is True
    assert bench.journal.counters.oversize == 1
    assert [body["seq"] for body in bench.said()] == [1]


def test_not_heard_is_raised_once_after_sixty_seconds_and_cleared_by_the_next_commit(bench: Bench) -> None:
    bench.journal.check_heard()
    bench.journal.say("event", an_event)
    bench.clock.advance(59)
    bench.journal.check_heard()
    assert len(bench.said()) == 1
    bench.clock.advance(1)
    bench.journal.check_heard()
    bench.journal.check_heard()
    assert [(body["code"], body["phase"]) for body in bench.said()[1:]] == [("NotHeard", "raised")]
    bench.journal.settle(Committed(epoch=1, boot=1, seq=1))
    assert [(body["code"], body["phase"]) for body in bench.said()] == [("NotHeard", "raised"), ("NotHeard", "cleared")]


def test_silence_with_nothing_to_say_raises_nothing(bench: Bench) -> None:
    bench.clock.advance(3600)
    bench.journal.check_heard()
    assert bench.said() == []


def test_replay_of_what_is_gone_is_answered_with_dropped_and_never_issued_numbers_are_no_gap(bench: Bench) -> None:
    for _ in range(4):
        bench.journal.say("event", an_event)
    bench.journal.settle(Committed(epoch=1, boot=1, seq=2))
    bench.journal.replay([SeqRange(epoch=1, boot=1, first=1, last=10_000), SeqRange(epoch=1, boot=7, first=1, last=2)])
    dropped = bench.said()[-1]
    assert dropped["code"] == "Dropped"
    assert [(r["boot"], r["first"], r["last"]) for r in dropped["ranges"]] == [(1, 1, 2), (7, 1, 2)]


def test_a_full_journal_says_what_it_dropped(tmp_path: Path) -> None:
    bench = make_bench(tmp_path / "j.db")
    bench.outbox._max_rows = 10
    for _ in range(11):
        bench.journal.say("event", an_event)
    assert bench.journal.counters.dropped == 2
    assert bench.said()[-1]["ranges"] == [{"epoch": 1, "boot": 1, "first": 1, "last": 2}]
    assert len(bench.journal.order) == bench.outbox.pending_count() == 10
    bench.outbox.close()


# -- hosts -------------------------------------------------------------------------------------------------------------


def state(session: int, online: bool, parts: list[str]) -> HostState:
    return HostState(ts=ORIGIN, session=session, online=online, parts=parts)


def test_only_an_online_host_that_owns_our_part_listens_and_a_late_will_is_ignored() -> None:
    part = int(part_of("st-1"), 16)
    hosts = Hosts("st-1")
    hosts.heard("other", state(1, True, [f"{(part + 1) % 64:02x}"]))
    assert not hosts.listening
    hosts.heard("ours", state(5, True, ["00-3f"]))
    assert hosts.listening
    hosts.heard("ours", state(4, False, ["00-3f"]))
    assert hosts.listening, "the will of session 4 came after the birth of session 5"
    hosts.heard("ours", state(5, False, ["00-3f"]))
    assert not hosts.listening
    hosts.heard("ours", state(6, True, [f"{part:02x}"]))
    assert hosts.listening
    hosts.forgotten("ours")
    assert not hosts.listening
