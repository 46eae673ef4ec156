-- name: check_database
SELECT 1

-- name: get_login
SELECT u.id, s.id, u.role, u.password_hash
FROM users u LEFT JOIN students s ON s.user_id = u.id
WHERE u.email = lower(%(email)s)

-- name: register_student
WITH registered AS (
    INSERT INTO users (email, password_hash, role, name)
    VALUES (lower(%(email)s), %(password_hash)s, 'student', %(name)s)
    RETURNING id, email
), enrolled AS (
    INSERT INTO students (user_id) SELECT id FROM registered RETURNING id, user_id
)
SELECT json_build_object('userId', r.id, 'studentId', e.id, 'email', r.email, 'role', 'student')::text
FROM registered r JOIN enrolled e ON e.user_id = r.id

-- name: get_profile
SELECT json_build_object('userId', id, 'email', email, 'name', name, 'role', role,
                         'preferences', preferences, 'createdAt', created_at)::text
FROM users WHERE id = %(user_id)s

-- name: update_profile
UPDATE users SET name = %(name)s, preferences = %(preferences)s::jsonb
WHERE id = %(user_id)s
RETURNING json_build_object('userId', id, 'email', email, 'name', name, 'role', role,
                            'preferences', preferences, 'createdAt', created_at)::text
