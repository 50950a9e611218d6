-- Answers already given, by caller and key. Instants of this table are wall time.

-- name: try_lock$
-- True when nobody else is inside a transaction for this caller and key.
SELECT pg_try_advisory_xact_lock(hashtextextended(:caller::text || E'\n' || :idempotency_key::text, 7301557));

-- name: take^
SELECT fingerprint, status_code, headers::text AS headers, body, created_at
FROM idempotency
WHERE caller = :caller AND idempotency_key = :idempotency_key;

-- name: claim!
INSERT INTO idempotency (caller, idempotency_key, fingerprint, created_at)
VALUES (:caller, :idempotency_key, :fingerprint, :wall_at)
ON CONFLICT (caller, idempotency_key) DO UPDATE SET created_at = excluded.created_at;

-- name: keep_progress!
UPDATE idempotency SET body = :progress
WHERE caller = :caller AND idempotency_key = :idempotency_key AND status_code IS NULL;

-- name: keep_answer!
UPDATE idempotency SET status_code = :status_code, headers = :headers::text::jsonb, body = :body
WHERE caller = :caller AND idempotency_key = :idempotency_key AND status_code IS NULL;

-- name: forget!
DELETE FROM idempotency WHERE created_at < :before;
