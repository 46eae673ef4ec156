-- name: add_job
INSERT INTO jobs (requested_by, parameters) VALUES (%(user_id)s, %(parameters)s::jsonb)
RETURNING json_build_object('jobId', id, 'status', status, 'createdAt', created_at)::text

-- name: claim_job
-- The oldest job that nobody works on: those being worked on are locked, also when they have just been claimed.
UPDATE jobs SET status = 'running', attempts = attempts + 1, started_at = now()
WHERE id = (
    SELECT id FROM jobs WHERE status IN ('queued', 'running') ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1
)
RETURNING id, attempts

-- name: lock_job
-- No row when another worker has taken it up between claiming and this.
SELECT parameters FROM jobs WHERE id = %(job_id)s AND status = 'running' FOR UPDATE SKIP LOCKED

-- name: finish_job
UPDATE jobs SET status = 'done', result = %(result)s::json, finished_at = clock_timestamp() WHERE id = %(job_id)s

-- name: fail_job
UPDATE jobs SET status = 'failed', error = %(error)s, finished_at = clock_timestamp()
WHERE id = %(job_id)s AND status = 'running'

-- name: get_job_requester
SELECT requested_by FROM jobs WHERE id = %(job_id)s

-- name: get_job
SELECT json_build_object('jobId', id, 'status', status, 'attempts', attempts, 'createdAt', created_at,
                         'startedAt', started_at, 'finishedAt', finished_at, 'error', error, 'result', result)::text
FROM jobs WHERE id = %(job_id)s
