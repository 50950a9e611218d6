-- What a run of one machine came to: sums for its report and its progress lines. Read only.

-- name: message_totals^
SELECT coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicates), 0)::bigint AS duplicates,
       coalesce(sum(refused), 0)::bigint AS refused, coalesce(sum(dropped), 0)::bigint AS dropped,
       coalesce(sum(lost), 0)::bigint AS lost
FROM station_boot;

-- name: refusals
SELECT reason, count FROM refusal_count ORDER BY reason;

-- name: journal_settled^
-- The stations' journals against ours: element i of every array is one boot that wrote the seqs 1 to last_seq.
SELECT coalesce(sum(j.last_seq), 0)::bigint AS sent,
       coalesce(sum((SELECT sum(upper(r) - lower(r)) FROM unnest(b.settled * int8multirange(int8range(1, j.last_seq + 1))) AS r)), 0)::bigint
           AS settled,
       coalesce(sum(b.dropped), 0)::bigint AS dropped, coalesce(sum(b.lost), 0)::bigint AS lost
FROM unnest(:station_ids::text[], :epochs::integer[], :boots::integer[], :last_seqs::bigint[]) AS j (station_id, epoch, boot, last_seq)
LEFT JOIN station_boot b USING (station_id, epoch, boot);

-- name: swap_totals
SELECT status, count(*)::bigint AS count FROM swap WHERE created_at >= :since GROUP BY status ORDER BY status;

-- name: plan_totals^
SELECT count(*)::bigint AS made, max(gap) AS worst_gap, max(made_at) AS last_made_at,
       count(*) FILTER (WHERE truncated)::bigint AS truncated
FROM plan WHERE made_at >= :since;

-- name: command_totals^
SELECT count(*) FILTER (WHERE sends > 0)::bigint AS sent, count(*) FILTER (WHERE acked_at IS NOT NULL)::bigint AS acknowledged,
       count(*) FILTER (WHERE status = 'expired')::bigint AS expired,
       count(*) FILTER (WHERE status IN ('queued', 'sent'))::bigint AS open
FROM command WHERE issued_at >= :since;

-- name: unhandled_events$
SELECT count(*)::bigint FROM station_event WHERE handled_at IS NULL;

-- name: station_totals^
SELECT count(*)::bigint AS stations, count(*) FILTER (WHERE l.connected)::bigint AS connected, max(l.heard_at) AS last_heard_at
FROM station s LEFT JOIN station_live l USING (station_id)
WHERE s.lifecycle = 'in_service';

-- name: oldest_unhandled_at$
SELECT min(received_at) FROM station_event WHERE handled_at IS NULL;
