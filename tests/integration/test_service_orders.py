"""Products, orders and the figures for admins of the bundled service."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.fix_bundled_service import ServiceProcess, Visitor, new_student

PAYMENT = {"paymentMethod": "credit_card"}


def create_order(visitor: Visitor, *items: tuple[int, int]) -> int:
    """Create an order with (product, quantity) items and return its id."""
    created = visitor.client.post("/api/orders", json={})
    assert created.status_code == 201
    order_id: int = created.json()["id"]
    for product_id, quantity in items:
        assert add_item(visitor, order_id, product_id, quantity).status_code == 200
    return order_id


def add_item(visitor: Visitor, order_id: int, product_id: int, quantity: int) -> httpx.Response:
    """Add an item to an order."""
    body = {"productId": product_id, "quantity": quantity}
    return visitor.client.post(f"/api/orders/{order_id}/items", json=body)


def move(visitor: Visitor, order_id: int, step: str) -> httpx.Response:
    """Confirm, ship or deliver an order."""
    return visitor.client.post(f"/api/orders/{order_id}/{step}", json=PAYMENT)


def test_browse_pages_through_the_products(anyone: httpx.Client) -> None:
    """Twenty products by default, in the order of their ids; limit and offset choose others."""
    first = anyone.get("/api/products").json()["data"]
    page = anyone.get("/api/products", params={"limit": 5, "offset": 18}).json()["data"]

    assert [product["id"] for product in first] == list(range(1, 21))
    assert [product["id"] for product in page] == list(range(19, 24))
    assert anyone.get("/api/products", params={"offset": 10**9}).json() == {"data": []}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/1", 200), ("/200", 200), ("/201", 404), ("/0", 422), ("/first", 422), (f"/{2**63}", 422)),
        *(("?limit=0", 422), ("?limit=101", 422), ("?limit=x", 422)),
        *(("?offset=-1", 422), (f"?offset={2**63}", 422)),
    ],
)
def test_products_and_pages_that_cannot_be(anyone: httpx.Client, path: str, status: int) -> None:
    """A product there is, one there is not, and ids and pages that cannot be."""
    assert anyone.get(f"/api/products{path}").status_code == status


def test_new_order_is_empty_and_pending(student: Visitor) -> None:
    """A new order has a total of 0, also when the request has no body."""
    created = student.client.post("/api/orders", json={}).json()

    assert created == {"id": created["id"], "status": "pending", "total": 0}
    assert student.client.post("/api/orders").status_code == 201


def test_total_is_the_sum_of_the_items(student: Visitor) -> None:
    """Two of product 1 (42.01) and three of product 2 (79.02), one of them added later, cost 321.08."""
    order_id = create_order(student, (1, 2), (2, 2), (2, 1))

    order = student.client.get(f"/api/orders/{order_id}").json()

    assert order["total"] == 321.08
    assert order["items"] == [
        {"productId": 1, "quantity": 2, "unitPrice": 42.01},
        {"productId": 2, "quantity": 3, "unitPrice": 79.02},
    ]


@pytest.mark.parametrize(
    ("product_id", "quantity", "status"),
    [(987_654, 1, 404), (1, 0, 422), (1, -1, 422), (1, 1001, 422), (0, 1, 422)],
)
def test_unacceptable_item(student: Visitor, product_id: int, quantity: int, status: int) -> None:
    """An unknown product is 404, a quantity outside 1 to 1000 is 422, and the order stays empty."""
    order_id = create_order(student)

    assert add_item(student, order_id, product_id, quantity).status_code == status
    assert student.client.get(f"/api/orders/{order_id}").json()["items"] == []


def test_order_goes_through_its_states(student: Visitor) -> None:
    """Confirm, ship and deliver, in this order, are each answered with the new state."""
    order_id = create_order(student, (1, 1))

    answers = [move(student, order_id, step) for step in ("confirm", "ship", "deliver")]

    assert [answer.json()["status"] for answer in answers] == ["confirmed", "shipped", "delivered"]
    assert student.client.get(f"/api/orders/{order_id}").json()["paymentMethod"] == "credit_card"


@pytest.mark.parametrize(
    ("taken", "refused"),
    [
        ([], ["ship", "deliver"]),
        (["confirm"], ["confirm", "deliver"]),
        (["confirm", "ship"], ["confirm", "ship"]),
        (["confirm", "ship", "deliver"], ["confirm", "ship", "deliver"]),
    ],
)
def test_every_other_move_is_409(student: Visitor, taken: list[str], refused: list[str]) -> None:
    """From each state only the next one can be reached; the refusal says which state it is."""
    order_id = create_order(student, (1, 1))
    for step in taken:
        assert move(student, order_id, step).status_code == 200
    status = student.client.get(f"/api/orders/{order_id}").json()["status"]

    answers = [move(student, order_id, step) for step in refused]

    assert [answer.status_code for answer in answers] == [409] * len(refused)
    assert {answer.json()["detail"]["status"] for answer in answers} == {status}


def test_empty_order_cannot_be_confirmed(student: Visitor) -> None:
    """An order whose total is 0 stays pending."""
    refused = move(student, create_order(student), "confirm")

    assert refused.status_code == 409
    assert refused.json() == {"error": "the order is empty: its total must be over 0", "detail": {"total": 0}}


def test_confirmed_order_takes_no_more_items(student: Visitor) -> None:
    """Items are for pending orders only."""
    order_id = create_order(student, (1, 1))
    move(student, order_id, "confirm")

    assert add_item(student, order_id, 2, 1).status_code == 409


def test_unknown_payment_is_422(student: Visitor) -> None:
    """A payment method that does not exist is refused before anything is looked up."""
    order_id = create_order(student, (1, 1))

    refused = student.client.post(f"/api/orders/{order_id}/confirm", json={"paymentMethod": "shells"})

    assert refused.status_code == 422


def test_two_confirmations_at_once_take_stock_once(student: Visitor) -> None:
    """Of two confirmations at once one wins and the other is 409; the stock is taken once."""
    before = student.client.get("/api/products/77").json()["stock"]
    order_id = create_order(student, (77, 5))

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: move(student, order_id, "confirm"), range(2)))

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert student.client.get("/api/products/77").json()["stock"] == before - 5


def test_crossing_orders_do_not_deadlock(student: Visitor) -> None:
    """Twenty orders of the same two products, added in opposite order, are all confirmed at once."""
    orders = [
        create_order(student, *([(50, 1), (51, 1)] if i % 2 else [(51, 1), (50, 1)])) for i in range(20)
    ]

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda order_id: move(student, order_id, "confirm"), orders))

    assert [answer.status_code for answer in answers] == [200] * 20


def test_items_added_at_once_are_all_counted(student: Visitor) -> None:
    """Ten additions of product 1 (42.01) at once make ten pieces and 420.10."""
    order_id = create_order(student)

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda _: add_item(student, order_id, 1, 1), range(10)))
    order = student.client.get(f"/api/orders/{order_id}").json()

    assert order["items"] == [{"productId": 1, "quantity": 10, "unitPrice": 42.01}]
    assert order["total"] == 420.10


def test_missing_stock_is_409_and_changes_nothing(database_url: str, open_service: ServiceProcess) -> None:
    """With two pieces left, three cannot be confirmed: the order stays pending and both pieces stay."""
    with new_student(open_service.url) as student, psycopg.connect(database_url, autocommit=True) as database:
        database.execute("UPDATE plimsoll.products SET stock = 2 WHERE id = 9")
        order_id = create_order(student, (8, 1), (9, 3))

        refused = move(student, order_id, "confirm")

        assert refused.status_code == 409
        assert refused.json()["error"] == "there is not enough stock for this order"
        assert student.client.get(f"/api/orders/{order_id}").json()["status"] == "pending"
        assert student.client.get("/api/products/9").json()["stock"] == 2


def test_orders_belong_to_their_owner(student: Visitor, other_student: Visitor, admin: Visitor) -> None:
    """Somebody else's order is 403 in every way, an unknown one 404; an admin may do everything."""
    order_id = create_order(other_student, (1, 1))
    foreign = [student.client.get(f"/api/orders/{order_id}"), add_item(student, order_id, 1, 1)]
    foreign += [move(student, order_id, step) for step in ("confirm", "ship", "deliver")]
    unknown = [student.client.get("/api/orders/987654321"), add_item(student, 987_654_321, 1, 1)]
    unknown += [move(student, 987_654_321, "confirm")]

    assert {answer.status_code for answer in foreign} == {403}
    assert {answer.status_code for answer in unknown} == {404}
    assert move(admin, order_id, "confirm").status_code == 200


@pytest.mark.parametrize("path", ["/api/admin/dashboard", "/api/admin/analytics"])
def test_figures_are_for_admins(admin: Visitor, student: Visitor, path: str) -> None:
    """An admin gets figures, a student 403."""
    assert admin.client.get(path).status_code == 200
    assert student.client.get(path).status_code == 403


def test_figures_count_what_was_sold(admin: Visitor, student: Visitor) -> None:
    """Confirming an order of 42.01 raises the revenue by that; the seeded orders fill the days."""
    before = admin.client.get("/api/admin/dashboard").json()
    move(student, create_order(student, (1, 1)), "confirm")

    after = admin.client.get("/api/admin/dashboard").json()
    analytics = admin.client.get("/api/admin/analytics").json()

    assert after["revenue"] - before["revenue"] == pytest.approx(42.01)
    assert before["orders"]["delivered"] >= 1000
    assert len(analytics["days"]) >= 29
    assert len(analytics["topProducts"]) == 10
