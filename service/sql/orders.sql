-- name: list_products
SELECT json_build_object('data', coalesce(json_agg(page), '[]'))::text
FROM (
    SELECT id, name, category, price, stock FROM products
    WHERE stock > 0 ORDER BY id LIMIT %(limit)s OFFSET %(offset)s
) page

-- name: get_product
SELECT json_build_object('id', id, 'name', name, 'category', category, 'price', price, 'stock', stock)::text
FROM products WHERE id = %(product_id)s

-- name: create_order
INSERT INTO orders (user_id) VALUES (%(user_id)s)
RETURNING json_build_object('id', id, 'status', status, 'total', total)::text

-- name: lock_order
SELECT user_id, status, total FROM orders WHERE id = %(order_id)s FOR UPDATE

-- name: get_order_owner
SELECT user_id FROM orders WHERE id = %(order_id)s

-- name: get_order
SELECT json_build_object(
    'id', o.id, 'userId', o.user_id, 'status', o.status, 'total', o.total, 'paymentMethod', o.payment_method,
    'createdAt', o.created_at, 'updatedAt', o.updated_at,
    'items', (
        SELECT coalesce(json_agg(json_build_object('productId', product_id, 'quantity', quantity,
                                                   'unitPrice', unit_price) ORDER BY product_id), '[]')
        FROM order_items WHERE order_id = o.id
    )
)::text
FROM orders o WHERE o.id = %(order_id)s

-- name: add_item
-- The order is locked by then. No row when the product does not exist. A product added again keeps its first price.
WITH added AS (
    INSERT INTO order_items AS i (order_id, product_id, quantity, unit_price)
    SELECT %(order_id)s, id, %(quantity)s, price FROM products WHERE id = %(product_id)s
    ON CONFLICT (order_id, product_id) DO UPDATE SET quantity = i.quantity + excluded.quantity
    RETURNING order_id, unit_price
)
UPDATE orders o SET total = o.total + a.unit_price * %(quantity)s, updated_at = now()
FROM added a WHERE o.id = a.order_id
RETURNING json_build_object('id', o.id, 'status', o.status, 'total', o.total)::text

-- name: take_stock
-- Rows are locked in the order of their ids: two confirmations of the same products cannot deadlock.
WITH wanted AS (
    SELECT p.id, i.quantity
    FROM order_items i JOIN products p ON p.id = i.product_id
    WHERE i.order_id = %(order_id)s
    ORDER BY p.id FOR UPDATE OF p
)
UPDATE products p SET stock = p.stock - w.quantity FROM wanted w WHERE p.id = w.id

-- name: move_order
UPDATE orders SET status = %(status)s, payment_method = coalesce(%(payment_method)s, payment_method), updated_at = now()
WHERE id = %(order_id)s
RETURNING json_build_object('id', id, 'status', status, 'total', total)::text

-- name: get_admin_dashboard
-- Orders are counted over the last 10,000, so that the cost stays the same however long a run lasts.
WITH recent AS (
    SELECT status, total FROM orders ORDER BY id DESC LIMIT 10000
)
SELECT json_build_object(
    'users', (SELECT count(*) FROM users),
    'products', (SELECT count(*) FROM products),
    'orders', (
        SELECT coalesce(json_object_agg(status, orders), '{}')
        FROM (SELECT status, count(*) AS orders FROM recent GROUP BY status) by_status
    ),
    'revenue', (SELECT coalesce(sum(total), 0) FROM recent WHERE status <> 'pending')
)::text

-- name: get_admin_analytics
WITH recent AS (
    SELECT id, total, created_at FROM orders WHERE status <> 'pending' ORDER BY id DESC LIMIT 10000
)
SELECT json_build_object(
    'days', (
        SELECT coalesce(json_agg(days ORDER BY days.day DESC), '[]') FROM (
            SELECT created_at::date AS day, count(*) AS orders, sum(total) AS revenue
            FROM recent GROUP BY 1 ORDER BY 1 DESC LIMIT 30
        ) days
    ),
    'topProducts', (
        SELECT coalesce(json_agg(best), '[]') FROM (
            SELECT p.id AS "productId", p.name, sum(i.quantity) AS sold
            FROM recent r JOIN order_items i ON i.order_id = r.id JOIN products p ON p.id = i.product_id
            GROUP BY p.id ORDER BY sold DESC, p.id LIMIT 10
        ) best
    )
)::text
