-- name: list_users
SELECT coalesce(json_agg(page), '[]')::text
FROM (SELECT id, name FROM users ORDER BY id LIMIT %(first)s OFFSET %(offset)s) page

-- name: load_users
-- One answer for each id, in their order; null where there is no such user.
SELECT json_agg(CASE WHEN u.id IS NOT NULL THEN json_build_object('id', u.id, 'name', u.name) END ORDER BY asked.ord)::text
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS asked (id, ord)
LEFT JOIN users u ON u.id = asked.id

-- name: load_posts
-- For each author its newest posts, as many as asked for.
SELECT json_agg(newest.posts ORDER BY asked.ord)::text
FROM unnest(%(ids)s::bigint[], %(firsts)s::int[]) WITH ORDINALITY AS asked (id, first, ord)
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(p), '[]') AS posts FROM (
        SELECT id, title, body, created_at AS "createdAt" FROM posts
        WHERE author_id = asked.id ORDER BY id DESC LIMIT asked.first
    ) p
) newest

-- name: load_comments
-- For each post its first comments, as many as asked for.
SELECT json_agg(oldest.comments ORDER BY asked.ord)::text
FROM unnest(%(ids)s::bigint[], %(firsts)s::int[]) WITH ORDINALITY AS asked (id, first, ord)
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(c), '[]') AS comments FROM (
        SELECT id, body, created_at AS "createdAt", author_id AS "authorId" FROM comments
        WHERE post_id = asked.id ORDER BY id LIMIT asked.first
    ) c
) oldest

-- name: get_analytics
WITH per_post AS (
    SELECT p.id, p.author_id, count(c.id) AS comments
    FROM posts p LEFT JOIN comments c ON c.post_id = p.id GROUP BY p.id
)
SELECT json_build_object(
    'users', (SELECT count(*) FROM users),
    'posts', count(*),
    'comments', coalesce(sum(comments), 0),
    'authors', count(DISTINCT author_id),
    'postsPerAuthor', coalesce(round(count(*)::numeric / nullif(count(DISTINCT author_id), 0), 3), 0),
    'commentsPerPost', coalesce(round(avg(comments), 3), 0)
)::text
FROM per_post

-- name: get_student_profile
SELECT json_build_object('studentId', s.id, 'name', u.name, 'email', u.email, 'school', h.name)::text
FROM students s JOIN users u ON u.id = s.user_id LEFT JOIN schools h ON h.id = s.school_id
WHERE s.id = %(student_id)s

-- name: get_current_career
SELECT json_build_object('id', c.id, 'title', o.title || ' ' || c.level, 'field', o.field, 'level', c.level)::text
FROM selections h JOIN careers c ON c.id = h.career_id JOIN occupations o ON o.id = c.occupation_id
WHERE h.student_id = %(student_id)s ORDER BY h.id DESC LIMIT 1

-- name: list_recent_sessions
SELECT coalesce(json_agg(recent), '[]')::text FROM (
    SELECT h.id, o.title || ' ' || c.level AS title, o.field, h.chosen_at AS "startedAt"
    FROM selections h JOIN careers c ON c.id = h.career_id JOIN occupations o ON o.id = c.occupation_id
    WHERE h.student_id = %(student_id)s ORDER BY h.id DESC LIMIT %(first)s
) recent

-- name: get_metrics
WITH recent AS (
    SELECT correct FROM answers WHERE student_id = %(student_id)s ORDER BY id DESC LIMIT 50
)
SELECT json_build_object(
    'sessions', (SELECT count(*) FROM selections WHERE student_id = %(student_id)s),
    'answers', (SELECT count(*) FROM answers WHERE student_id = %(student_id)s),
    'percentage', (SELECT coalesce(round(100.0 * avg(correct::int), 1), 0) FROM recent)
)::text

-- name: list_upcoming_careers
-- By level and id those that the student did not choose in the last five days.
SELECT coalesce(json_agg(upcoming), '[]')::text FROM (
    SELECT c.id, o.title || ' ' || c.level AS title, o.field, c.level
    FROM careers c JOIN occupations o ON o.id = c.occupation_id
    WHERE NOT EXISTS (
        SELECT FROM latest_choices l
        WHERE l.student_id = %(student_id)s AND l.career_id = c.id AND l.chosen_at > now() - interval '5 days'
    )
    ORDER BY c.level, c.id LIMIT %(first)s
) upcoming

-- name: list_careers
SELECT coalesce(json_agg(found), '[]')::text FROM (
    SELECT c.id, o.title || ' ' || c.level AS title, o.field, c.level
    FROM careers c JOIN occupations o ON o.id = c.occupation_id
    WHERE %(field)s::text IS NULL OR o.field = %(field)s
    ORDER BY c.id LIMIT %(first)s
) found

-- name: list_trending_careers
WITH recent AS (
    SELECT career_id FROM selections ORDER BY id DESC LIMIT 10000
)
SELECT coalesce(json_agg(best), '[]')::text FROM (
    SELECT c.id, o.title || ' ' || c.level AS title, count(*) AS selections
    FROM recent r JOIN careers c ON c.id = r.career_id JOIN occupations o ON o.id = c.occupation_id
    WHERE %(field)s::text IS NULL OR o.field = %(field)s
    GROUP BY c.id, o.title ORDER BY selections DESC, c.id LIMIT %(first)s
) best

-- name: list_fields
SELECT json_agg(fields)::text FROM (
    SELECT o.field, count(*) AS careers FROM careers c JOIN occupations o ON o.id = c.occupation_id
    WHERE %(field)s::text IS NULL OR o.field = %(field)s
    GROUP BY o.field ORDER BY o.field
) fields
