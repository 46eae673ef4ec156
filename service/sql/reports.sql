-- name: find_unknown_students
SELECT array_agg(id ORDER BY id) FROM unnest(%(student_ids)s::bigint[]) AS asked (id)
WHERE NOT EXISTS (SELECT FROM students s WHERE s.id = asked.id)

-- name: build_report
-- What the students chose and answered from the first day to the last, both included, by student and by month.
WITH asked AS (
    SELECT s.id, u.name FROM students s JOIN users u ON u.id = s.user_id WHERE s.id = ANY (%(student_ids)s::bigint[])
), chosen AS (
    SELECT h.student_id, date_trunc('month', h.chosen_at) AS month, o.field
    FROM selections h JOIN careers c ON c.id = h.career_id JOIN occupations o ON o.id = c.occupation_id
    WHERE h.student_id = ANY (%(student_ids)s::bigint[])
        AND h.chosen_at >= %(first_day)s::date AND h.chosen_at < %(last_day)s::date + 1
), given AS (
    SELECT student_id, date_trunc('month', answered_at) AS month, correct FROM answers
    WHERE student_id = ANY (%(student_ids)s::bigint[])
        AND answered_at >= %(first_day)s::date AND answered_at < %(last_day)s::date + 1
), choices AS (
    SELECT student_id, count(*) AS selections, mode() WITHIN GROUP (ORDER BY field) AS field
    FROM chosen GROUP BY student_id
), marks AS (
    SELECT student_id, count(*) AS answers, round(avg(correct::int), 3) AS accuracy FROM given GROUP BY student_id
), months AS (
    SELECT to_char(month, 'YYYY-MM') AS month, sum(selections)::bigint AS selections, sum(answers)::bigint AS answers
    FROM (
        SELECT month, count(*) AS selections, 0 AS answers FROM chosen GROUP BY month
        UNION ALL SELECT month, 0, count(*) FROM given GROUP BY month
    ) counted GROUP BY 1
)
SELECT json_build_object(
    'from', %(first_day)s::date, 'to', %(last_day)s::date,
    'months', (SELECT coalesce(json_agg(months ORDER BY month), '[]') FROM months),
    'students', (
        SELECT coalesce(json_agg(json_build_object(
            'studentId', a.id, 'name', a.name, 'selections', coalesce(c.selections, 0),
            'favouriteField', c.field, 'answers', coalesce(m.answers, 0), 'accuracy', m.accuracy
        ) ORDER BY a.id), '[]')
        FROM asked a LEFT JOIN choices c ON c.student_id = a.id LEFT JOIN marks m ON m.student_id = a.id
    )
)::text
