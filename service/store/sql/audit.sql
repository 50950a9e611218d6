-- Invariants of the desk as questions to the tables. Each answers how many rows it looked at and which of them break it.

-- name: pack_in_one_place^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT serial_number AS subject,
             NOT ((place = 'slot') = (station_id IS NOT NULL AND slot_no IS NOT NULL) AND (place = 'asset') = (asset_id IS NOT NULL)
                  AND (station_id IS NULL) = (slot_no IS NULL)) AS bad
      FROM pack) c;

-- name: slot_holds_one_pack^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT station_id || '/' || slot_no AS subject, count(*) > 1 AS bad
      FROM pack WHERE place = 'slot' GROUP BY station_id, slot_no) c;

-- name: pack_held_once^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT serial_number AS subject, count(*) > 1 AS bad FROM pack_hold WHERE released_at IS NULL GROUP BY serial_number) c;

-- name: slot_held_once^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT station_id || '/' || slot_no AS subject, count(*) > 1 AS bad
      FROM slot_hold WHERE released_at IS NULL GROUP BY station_id, slot_no) c;

-- name: hold_has_live_owner^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT h.what || ' ' || h.subject AS subject,
             coalesce(r.status NOT IN ('pending', 'reserved'), false)
             OR coalesce(s.status NOT IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved', 'orphan_in', 'orphan_out'),
                         false) AS bad
      FROM (SELECT 'pack' AS what, serial_number AS subject, reservation_id, swap_id FROM pack_hold WHERE released_at IS NULL
            UNION ALL
            SELECT 'slot', station_id || '/' || slot_no, reservation_id, swap_id FROM slot_hold WHERE released_at IS NULL) h
      LEFT JOIN reservation r ON r.reservation_id = h.reservation_id
      LEFT JOIN swap s ON s.swap_id = h.swap_id) c;

-- name: held_pack_is_there^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT h.serial_number AS subject,
             p.place <> 'slot' OR p.station_id IS DISTINCT FROM coalesce(r.station_id, s.station_id) AS bad
      FROM pack_hold h
      JOIN pack p USING (serial_number)
      LEFT JOIN reservation r ON r.reservation_id = h.reservation_id
      LEFT JOIN swap s ON s.swap_id = h.swap_id
      WHERE h.released_at IS NULL) c;

-- name: swap_counts_its_packs^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT s.swap_id AS subject,
             s.packs_in <> least(coalesce(p.packs_in, 0), 3) OR s.packs_out <> least(coalesce(p.packs_out, 0), 3) AS bad
      FROM swap s
      LEFT JOIN (SELECT swap_id, count(*) FILTER (WHERE direction = 'in') AS packs_in,
                        count(*) FILTER (WHERE direction = 'out') AS packs_out FROM swap_pack GROUP BY swap_id) p
          USING (swap_id)) c;

-- name: swap_balanced^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT swap_id AS subject, packs_in <> pack_count OR packs_out <> pack_count AS bad
      FROM swap WHERE status IN ('completed', 'settled')) c;

-- name: debt_matches_swap^
-- Packs in = packs out, or an open debt per pack; nothing is owed for what is balanced.
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT s.swap_id AS subject,
             CASE WHEN s.status IN ('orphan_in', 'orphan_out')
                  THEN coalesce(d.by_operator, 0) <> greatest(s.packs_in - s.packs_out, 0)
                       OR coalesce(d.by_rider, 0) <> greatest(s.packs_out - s.packs_in, 0)
                  WHEN s.status = 'exception' THEN false
                  ELSE d.swap_id IS NOT NULL END AS bad
      FROM swap s
      LEFT JOIN (SELECT swap_id, count(*) FILTER (WHERE owed_by = 'operator') AS by_operator,
                        count(*) FILTER (WHERE owed_by = 'rider') AS by_rider
                 FROM debt WHERE closed_at IS NULL GROUP BY swap_id) d USING (swap_id)) c;

-- name: place_follows_from_events^
-- Packs that the desk has never moved are where registration put them.
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT p.serial_number AS subject,
             CASE WHEN e.body IS NULL THEN p.place NOT IN ('depot', 'asset')
                  ELSE (p.place, p.station_id, p.slot_no::text, p.asset_id) IS DISTINCT FROM
                       (e.body ->> 'place', e.body ->> 'station_id', e.body ->> 'slot_no', e.body ->> 'asset_id') END AS bad
      FROM pack p
      LEFT JOIN LATERAL (SELECT body FROM desk_event WHERE serial_number = p.serial_number AND kind = 'pack_placed'
                         ORDER BY desk_event_id DESC LIMIT 1) e ON true) c;

-- name: swap_follows_from_events^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT s.swap_id AS subject, s.status <> coalesce(e.body ->> 'to', 'requested') AS bad
      FROM swap s
      LEFT JOIN LATERAL (SELECT body FROM desk_event WHERE swap_id = s.swap_id AND kind = 'swap_changed'
                         ORDER BY desk_event_id DESC LIMIT 1) e ON true) c;

-- name: reservation_follows_from_events^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT r.reservation_id AS subject,
             r.status <> CASE e.kind WHEN 'reservation_made' THEN 'reserved' ELSE coalesce(e.body ->> 'status', 'nothing') END AS bad
      FROM reservation r
      LEFT JOIN LATERAL (SELECT kind, body FROM desk_event WHERE reservation_id = r.reservation_id
                         AND kind IN ('reservation_made', 'reservation_ended') ORDER BY desk_event_id DESC LIMIT 1) e ON true) c;

-- name: answered_command_was_sent^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT command_id AS subject, sent_at IS NULL OR answer IS NULL AS bad FROM command WHERE status = 'acknowledged') c;

-- name: reservation_state_is_consistent^
-- Live ones have not ended and hold no more than their set (a pack that went wrong is replaced at the start); a fulfilled one has its swap. A timer has five minutes to act.
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT r.reservation_id AS subject,
             (r.status IN ('pending', 'reserved')) <> (r.ended_at IS NULL)
             OR (r.status = 'fulfilled' AND NOT EXISTS (SELECT FROM swap s WHERE s.reservation_id = r.reservation_id))
             OR (r.status = 'reserved' AND r.pack_count < (SELECT count(*) FROM pack_hold h
                     WHERE h.reservation_id = r.reservation_id AND h.released_at IS NULL))
             OR (r.status IN ('pending', 'reserved') AND r.expires_at < :now::timestamptz - interval '5 minutes'
                 AND NOT EXISTS (SELECT FROM swap s WHERE s.reservation_id = r.reservation_id
                                 AND s.status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved'))) AS bad
      FROM reservation r) c;

-- name: vehicle_has_no_more_than_its_set^
-- What a rider owes, and what a running swap has handed out before taking in, may be in the vehicle on top.
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT a.asset_id AS subject,
             (SELECT count(*) FROM pack p WHERE p.place = 'asset' AND p.asset_id = a.asset_id)
             > a.pack_count
               + (SELECT count(*) FROM debt d JOIN swap s USING (swap_id)
                  WHERE s.asset_id = a.asset_id AND d.closed_at IS NULL AND d.owed_by = 'rider')
               + (SELECT coalesce(sum(greatest(s.packs_out - s.packs_in, 0)), 0) FROM swap s
                  WHERE s.asset_id = a.asset_id AND s.status IN ('half_in', 'half_out', 'unresolved')) AS bad
      FROM asset a) c;

-- name: vehicle_has_one_live_swap^
SELECT count(*) AS checked, array_remove(array_agg(CASE WHEN bad THEN subject END), NULL) AS broken
FROM (SELECT asset_id AS subject, count(*) > 1 AS bad FROM swap
      WHERE status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved') GROUP BY asset_id) c;
