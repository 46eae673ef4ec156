-- name: get_guardian
SELECT 1 FROM guardians WHERE user_id = %(user_id)s AND student_id = %(student_id)s

-- name: get_parent_dashboard
-- Each child with its last five sessions, and the share of right answers among its last 50 in per cent.
SELECT json_build_object('name', u.name, 'children', (
    SELECT coalesce(json_agg(json_build_object(
        'studentId', s.id, 'name', c.name, 'recentSessions', recent.sessions,
        'percentage', flow.percentage, 'answers', flow.answers
    ) ORDER BY s.id), '[]')
    FROM guardians g JOIN students s ON s.id = g.student_id JOIN users c ON c.id = s.user_id
    CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(newest), '[]') AS sessions FROM (
            SELECT h.id AS "sessionId", k.id AS "careerId", o.title || ' ' || k.level AS title,
                   h.chosen_at AS "startedAt"
            FROM selections h JOIN careers k ON k.id = h.career_id JOIN occupations o ON o.id = k.occupation_id
            WHERE h.student_id = s.id ORDER BY h.id DESC LIMIT 5
        ) newest
    ) recent
    CROSS JOIN LATERAL (
        SELECT coalesce(round(100.0 * avg(correct::int), 1), 0) AS percentage, count(*) AS answers FROM (
            SELECT correct FROM answers WHERE student_id = s.id ORDER BY id DESC LIMIT 50
        ) last
    ) flow
    WHERE g.user_id = u.id
))::text
FROM users u WHERE u.id = %(user_id)s
