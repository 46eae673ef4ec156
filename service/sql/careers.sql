-- name: get_student
SELECT user_id FROM students WHERE id = %(student_id)s

-- name: draw_pool
-- Four careers by chance, none that the student chose in the last five days; null when fewer than four are left.
SELECT CASE WHEN count(*) = 4 THEN json_build_object('careers', json_agg(drawn))::text END
FROM (
    SELECT c.id AS "careerId", o.title || ' ' || c.level AS title, o.field, c.level
    FROM careers c JOIN occupations o ON o.id = c.occupation_id
    WHERE NOT EXISTS (
        SELECT FROM latest_choices l
        WHERE l.student_id = %(student_id)s AND l.career_id = c.id AND l.chosen_at > now() - interval '5 days'
    )
    ORDER BY random() LIMIT 4
) drawn

-- name: refill_careers
-- The next level of every occupation; of several refills at once all but one change nothing.
INSERT INTO careers (occupation_id, level)
SELECT o.id, (SELECT max(level) + 1 FROM careers) FROM occupations o ORDER BY o.id
ON CONFLICT (occupation_id, level) DO NOTHING

-- name: select_career
-- No row when the student chose this career in the last five days.
WITH chosen AS (
    INSERT INTO latest_choices AS l (student_id, career_id, chosen_at)
    VALUES (%(student_id)s, %(career_id)s, now())
    ON CONFLICT (student_id, career_id) DO UPDATE SET chosen_at = excluded.chosen_at
    WHERE l.chosen_at <= now() - interval '5 days'
    RETURNING student_id, career_id
)
INSERT INTO selections (student_id, career_id) SELECT student_id, career_id FROM chosen
RETURNING json_build_object('sessionId', id, 'studentId', student_id, 'careerId', career_id,
                            'startedAt', chosen_at)::text

-- name: get_session_owner
SELECT student_id FROM selections WHERE id = %(session_id)s

-- name: get_content
-- The right answers are in it: whoever makes the load must be able to answer right and wrong on purpose.
SELECT json_build_object(
    'sessionId', s.id, 'careerId', c.id, 'title', o.title || ' ' || c.level,
    'learn', l.phases -> 'learn', 'experience', l.phases -> 'experience', 'discover', l.phases -> 'discover',
    'questions', (
        SELECT json_agg(json_build_object('questionId', q.id, 'prompt', q.prompt,
                                          'choices', q.choices, 'answer', q.answer) ORDER BY q.id)
        FROM questions q WHERE q.occupation_id = o.id
    )
)::text
FROM selections s JOIN careers c ON c.id = s.career_id JOIN occupations o ON o.id = c.occupation_id
CROSS JOIN LATERAL (
    SELECT json_object_agg(phase, items) AS phases FROM (
        SELECT phase, json_agg(json_build_object('title', title, 'body', body) ORDER BY position) AS items
        FROM lessons WHERE occupation_id = o.id GROUP BY phase
    ) by_phase
) l
WHERE s.id = %(session_id)s

-- name: store_answer
-- No row when the question does not belong to the session's career.
WITH asked AS (
    SELECT s.id AS session_id, s.student_id, q.id AS question_id, q.answer, q.answer = %(answer)s AS correct
    FROM selections s
    JOIN careers c ON c.id = s.career_id
    JOIN questions q ON q.occupation_id = c.occupation_id
    WHERE s.id = %(session_id)s AND q.id = %(question_id)s
), stored AS (
    INSERT INTO answers (session_id, student_id, question_id, answer, correct)
    SELECT session_id, student_id, question_id, %(answer)s, correct FROM asked
    RETURNING id
)
SELECT json_build_object('answerId', stored.id, 'sessionId', asked.session_id, 'questionId', asked.question_id,
                         'correct', asked.correct, 'correctAnswer', asked.answer)::text
FROM asked, stored

-- name: get_flow_state
-- Flow is the share of right answers among the student's last 50, in per cent; 0 before the first answer.
WITH recent AS (
    SELECT correct FROM answers WHERE student_id = %(student_id)s ORDER BY id DESC LIMIT 50
), flow AS (
    SELECT count(*) AS answers, coalesce(round(100.0 * avg(correct::int), 1), 0) AS percentage FROM recent
)
SELECT json_build_object(
    'studentId', %(student_id)s::bigint, 'percentage', percentage, 'answers', answers,
    'state', CASE WHEN percentage >= 70 THEN 'flow' WHEN percentage >= 40 THEN 'learning' ELSE 'starting' END
)::text
FROM flow

-- name: get_trending
-- Counted over the last 10,000 selections, so that its cost stays the same however long a run lasts.
WITH recent AS (
    SELECT career_id FROM selections ORDER BY id DESC LIMIT 10000
), counted AS (
    SELECT career_id, count(*) AS chosen FROM recent GROUP BY career_id ORDER BY chosen DESC, career_id LIMIT 10
)
SELECT json_build_object('careers', coalesce(json_agg(json_build_object(
    'careerId', c.id, 'title', o.title || ' ' || c.level, 'field', o.field, 'selections', n.chosen
) ORDER BY n.chosen DESC, c.id), '[]'))::text
FROM counted n JOIN careers c ON c.id = n.career_id JOIN occupations o ON o.id = c.occupation_id

-- name: get_dashboard
SELECT json_build_object(
    'studentId', s.id, 'name', u.name,
    'recentSessions', (
        SELECT coalesce(json_agg(recent), '[]') FROM (
            SELECT h.id AS "sessionId", c.id AS "careerId", o.title || ' ' || c.level AS title,
                   h.chosen_at AS "startedAt"
            FROM selections h JOIN careers c ON c.id = h.career_id JOIN occupations o ON o.id = c.occupation_id
            WHERE h.student_id = s.id ORDER BY h.id DESC LIMIT 10
        ) recent
    ),
    'answers', (
        SELECT json_build_object('total', count(*), 'right', count(*) FILTER (WHERE correct)) FROM (
            SELECT correct FROM answers WHERE student_id = s.id ORDER BY id DESC LIMIT 500
        ) recent
    )
)::text
FROM students s JOIN users u ON u.id = s.user_id
WHERE s.id = %(student_id)s

-- name: analyze_student
-- Accuracy by field over the last 500 answers; the recommendation is the field the student answers best.
WITH recent AS (
    SELECT a.correct, q.occupation_id FROM (
        SELECT correct, question_id FROM answers WHERE student_id = %(student_id)s ORDER BY id DESC LIMIT 500
    ) a JOIN questions q ON q.id = a.question_id
), fields AS (
    SELECT o.field, count(*) AS answers, round(avg(r.correct::int), 3) AS accuracy
    FROM recent r JOIN occupations o ON o.id = r.occupation_id GROUP BY o.field
)
SELECT json_build_object(
    'studentId', %(student_id)s::bigint,
    'answers', coalesce(sum(answers), 0),
    'fields', coalesce(json_agg(fields ORDER BY field), '[]'),
    'recommendedField', (array_agg(field ORDER BY accuracy DESC, field))[1]
)::text
FROM fields
