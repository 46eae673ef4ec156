-- name: get_career_history
-- One row more than asked for tells whether there are more.
WITH page AS (
    SELECT id, career_id, chosen_at FROM selections WHERE student_id = %(student_id)s
    ORDER BY id DESC LIMIT %(limit)s + 1 OFFSET %(offset)s
), shown AS (
    SELECT p.id, c.id AS career_id, o.title || ' ' || c.level AS title, o.field, p.chosen_at
    FROM page p JOIN careers c ON c.id = p.career_id JOIN occupations o ON o.id = c.occupation_id
    ORDER BY p.id DESC LIMIT %(limit)s
)
SELECT json_build_object(
    'studentId', %(student_id)s::bigint,
    'selections', (
        SELECT coalesce(json_agg(json_build_object(
            'sessionId', id, 'careerId', career_id, 'title', title, 'field', field, 'startedAt', chosen_at
        ) ORDER BY id DESC), '[]') FROM shown
    ),
    'hasMore', (SELECT count(*) > %(limit)s FROM page)
)::text

-- name: bulk_enroll
-- Addresses in order: two lists at once that share some cannot deadlock. Whoever is there already is left as he is.
WITH asked AS (
    SELECT DISTINCT ON (lower(a.email)) lower(a.email) AS email, a.name
    FROM unnest(%(emails)s::text[], %(names)s::text[]) AS a (email, name)
), added AS (
    INSERT INTO users (email, password_hash, role, name)
    SELECT email, %(password_hash)s, 'student', name FROM asked ORDER BY email
    ON CONFLICT (email) DO NOTHING
    RETURNING id, email
), enrolled AS (
    INSERT INTO students (user_id, school_id) SELECT id, %(school_id)s FROM added RETURNING id, user_id
)
SELECT json_build_object(
    'schoolId', %(school_id)s::bigint,
    'created', (SELECT count(*) FROM enrolled),
    'students', (
        SELECT coalesce(json_agg(json_build_object('studentId', e.id, 'email', a.email) ORDER BY e.id), '[]')
        FROM enrolled e JOIN added a ON a.id = e.user_id
    ),
    'taken', (
        SELECT coalesce(json_agg(email), '[]') FROM asked WHERE email NOT IN (SELECT email FROM added)
    )
)::text

-- name: remove_students
-- With all that is theirs, and no more at once than a statement has time for.
WITH removed AS (
    DELETE FROM users WHERE id IN (
        SELECT u.id FROM users u JOIN students s ON s.user_id = u.id
        WHERE s.school_id = %(school_id)s AND starts_with(u.email, lower(%(prefix)s)) LIMIT 1000
    ) RETURNING id
)
SELECT json_build_object('removed', count(*))::text FROM removed
