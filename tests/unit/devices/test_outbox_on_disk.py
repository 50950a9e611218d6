"""The journal on disk: keys, counters, forgetting, bounds, the ledger."""

from pathlib import Path

import pytest

from devices.link.outbox import Answer, JournalError, MessageKey, Outbox, OutboxInUseError


def fill(outbox: Outbox, boot: int, count: int, *, station: str = "st-1", rank: int = 1, size: int = 10) -> None:
    for _ in range(count):
        outbox.append(station, 1, boot, "event", lambda seq: (rank, b"x" * size))


def test_seq_starts_at_one_and_boots_never_repeat(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False)
    assert outbox.begin("st-1", 1) == 1
    fill(outbox, 1, 3)
    outbox.close()
    outbox = Outbox(tmp_path / "o.db")
    assert outbox.begin("st-1", 1) == 2
    assert outbox.begin("st-1", 2) == 3, "a new epoch goes on counting boots"
    fill(outbox, 3, 1)
    assert outbox.last_seq("st-1", 1, 1) == 3
    outbox.close()


def test_what_is_not_committed_survives_reopening_unchanged(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False)
    boot = outbox.begin("st-1", 1)
    outbox.append("st-1", 1, boot, "swap", lambda seq: (1, f"body {seq}".encode()))
    outbox.close()
    outbox = Outbox(tmp_path / "o.db", durable=False)
    (held,) = outbox.held("st-1")
    assert (held.key, held.leaf) == (MessageKey(1, 1, 1), "swap")
    assert outbox.body("st-1", held.key) == b"body 1"
    outbox.close()


def test_only_what_is_committed_of_that_boot_and_station_is_forgotten(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False)
    outbox.begin("st-1", 1)
    outbox.begin("st-2", 1)
    fill(outbox, 1, 4)
    fill(outbox, 1, 4, station="st-2")
    outbox.begin("st-1", 1)
    fill(outbox, 2, 2)
    assert outbox.settle("st-1", 1, 1, 3) == 3
    assert outbox.settle("st-1", 9, 1, 99) == 0
    assert [held.key for held in outbox.held("st-1")] == [(1, 1, 4), (1, 2, 1), (1, 2, 2)]
    assert outbox.pending_count("st-2") == 4
    assert outbox.pending_count() == 7
    assert outbox.journal_totals()["st-1"] == {(1, 1): 4, (1, 2): 2}, "totals stay when messages go"
    outbox.close()


def test_a_second_process_is_refused_because_it_would_issue_the_same_keys(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "o.db")
    first.begin("st-1", 1)
    with pytest.raises(OutboxInUseError, match="each process its own"):
        Outbox(tmp_path / "o.db")
    first.close()


def test_a_full_journal_drops_the_least_important_oldest_first(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False, max_rows=20)
    outbox.begin("st-1", 1)
    fill(outbox, 1, 5, rank=0)
    fill(outbox, 1, 10, rank=2)
    fill(outbox, 1, 5, rank=1)
    assert outbox.shed("st-1") == []
    fill(outbox, 1, 1, rank=1)
    dropped = outbox.shed("st-1")
    assert dropped == [(1, 1, 6), (1, 1, 7), (1, 1, 8)]
    assert outbox.pending_count() == 18
    outbox.close()


def test_a_full_journal_counts_bytes_too(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False, max_bytes=1000)
    outbox.begin("st-1", 1)
    fill(outbox, 1, 11, size=100)
    assert [key.seq for key in outbox.shed("st-1")] == [1, 2]
    assert outbox.shed("st-1") == []
    outbox.close()


def test_a_message_that_is_not_made_uses_no_seq(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False)
    outbox.begin("st-1", 1)
    assert outbox.append("st-1", 1, 1, "birth", lambda seq: None) is None
    fill(outbox, 1, 1)
    assert outbox.journal_totals() == {"st-1": {(1, 1): 1}}
    outbox.close()


def test_a_journal_that_cannot_be_written_says_so_and_uses_no_seq(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False)
    outbox.begin("st-1", 1)
    outbox._db.execute("PRAGMA query_only=ON")
    with pytest.raises(JournalError, match="cannot be written"):
        fill(outbox, 1, 1)
    outbox._db.execute("PRAGMA query_only=OFF")
    fill(outbox, 1, 1)
    assert [held.key.seq for held in outbox.held("st-1")] == [1]
    outbox.close()


def test_the_first_answer_stands_over_restarts_and_old_answers_go(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False)
    outbox.remember_answer("st-1", "cmd-1", Answer("Accepted", None))
    outbox.remember_answer("st-1", "cmd-1", Answer("Rejected", "Busy"))
    outbox.close()
    outbox = Outbox(tmp_path / "o.db", durable=False)
    assert outbox.first_answer("st-1", "cmd-1") == Answer("Accepted", None)
    assert outbox.first_answer("st-2", "cmd-1") is None
    for number in range(1200):
        outbox.remember_answer("st-1", f"later-{number}", Answer("Accepted", None))
    assert outbox.first_answer("st-1", "cmd-1") is None
    assert outbox.first_answer("st-1", "later-1199") is not None
    outbox.close()


def test_request_ids_of_a_station_stay_below_the_services(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", durable=False)
    outbox.begin("st-1", 1)
    assert [outbox.next_request_id("st-1") for _ in range(2)] == [1, 2]
    outbox._db.execute("UPDATE station SET request_id = ?", (2**30 - 2,))
    assert [outbox.next_request_id("st-1") for _ in range(2)] == [2**30 - 1, 1]
    outbox.close()
