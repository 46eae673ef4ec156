"""A shop's visitors: browse (40 %), order (30 %), read or update the profile (20 %), administer (10 %).

A right answer: products to sell, an order that goes pending → confirmed → shipped → delivered and no other
way (409), a total that is the sum of its items, an administration open to admins only (403 for anyone else).
The refusals have names of their own, so that they do not dilute the figures of the successes.
"""

from __future__ import annotations

from locust import between
from locust.env import Environment

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar, NamedTuple

from locustfiles.school import ADMINS, STUDENTS, AccountPool, MemberUser
from plimsoll import Answer, Identifier, Step, WrongAnswerError, field, filled, identifier, record_run

record_run()

CONFIRMED_SHARE = 0.3
CONFIRMED_TWICE_SHARE = 0.1
PROFILE_UPDATED_SHARE = 0.2
USERS_PER_ADMIN = 10
HALF_A_CENT = 0.005

BROWSE: tuple[Step, ...] = ("orders.products", "orders.product", 1.0)
SETTLED_BY_ADMIN = CONFIRMED_SHARE / USERS_PER_ADMIN
ORDER: tuple[Step, ...] = (
    *("orders.create", "orders.add_item", "orders.get"),
    {
        "orders.confirm": CONFIRMED_SHARE,
        "orders.move_refused": CONFIRMED_SHARE * CONFIRMED_TWICE_SHARE,
        "orders.ship": SETTLED_BY_ADMIN,
        "orders.deliver": SETTLED_BY_ADMIN,
    },
    2.0,
)
CHECK_HEALTH: tuple[Step, ...] = ({"orders.health": 2},)
OVERSEE: tuple[Step, ...] = (
    {
        "orders.admin_dashboard": 1 / USERS_PER_ADMIN,
        "orders.admin_analytics": 1 / USERS_PER_ADMIN,
        "orders.admin_refused": 2 * (1 - 1 / USERS_PER_ADMIN),
    },
)

_spawned = count(1)


class Product(NamedTuple):
    """What a visitor needs to know to look at a product and to order it."""

    id: Identifier
    price: float


class ShopVisitor(MemberUser):
    """What a visitor may do in the shop; one of ten is an admin. A subclass says how often it does what."""

    abstract = True
    wait_time = between(1, 4)
    accounts = STUDENTS
    other_accounts: ClassVar[Mapping[AccountPool, float]] = {ADMINS: 1 / USERS_PER_ADMIN}
    request_names: ClassVar[frozenset[str]] = frozenset(
        {
            "auth.login",
            "orders.add_item",
            "orders.admin_analytics",
            "orders.admin_dashboard",
            "orders.admin_refused",
            "orders.confirm",
            "orders.create",
            "orders.deliver",
            "orders.get",
            "orders.health",
            "orders.move_refused",
            "orders.product",
            "orders.products",
            "orders.ship",
        }
    )
    metric_names: ClassVar[frozenset[str]] = frozenset({"orders.health.*"})

    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        "browse": BROWSE,
        "order": ORDER,
        "administer": (*CHECK_HEALTH, *OVERSEE),
        "check_health": CHECK_HEALTH,
        "oversee": OVERSEE,
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.products: list[Product] = []

    def own_accounts(self) -> AccountPool:
        """Return the students, or the admins for every tenth visitor of this process."""
        return ADMINS if next(_spawned) % USERS_PER_ADMIN == 0 else self.accounts

    def browse(self) -> None:
        """Look through the products and at one of them."""
        product = random.choice(self.list_products())
        self.ask("orders.product", "GET", f"/api/products/{product.id}", same_product(product))
        self.pause(1)

    def order(self) -> None:
        """Order some pieces of a product seen before; 30 % of the orders are confirmed."""
        self.account()
        product, quantity = random.choice(self.products or self.list_products()), random.randint(1, 5)
        order_id = self.ask("orders.create", "POST", "/api/orders", created_order, json={}, statuses=(201,))
        path, is_pending = f"/api/orders/{order_id}", order_is("pending", product.price * quantity)
        item = {"productId": product.id, "quantity": quantity}
        self.ask("orders.add_item", "POST", f"{path}/items", is_pending, json=item)
        self.ask("orders.get", "GET", path, is_pending)
        if random.random() < CONFIRMED_SHARE:
            self.settle(path, product.price * quantity)
        self.pause(2)

    def administer(self) -> None:
        """Look after the shop: its health, and the figures that only an admin gets to see."""
        self.check_health()
        self.oversee()

    def check_health(self) -> None:
        """Ask the shop how it is."""
        for path in ("/health", "/api/health"):
            self.check_health_of("orders.health", path)

    def oversee(self) -> None:
        """Look at the figures, which only an admin may see."""
        if self.account().role == "admin":
            self.ask("orders.admin_dashboard", "GET", "/api/admin/dashboard", dashboard)
            self.ask("orders.admin_analytics", "GET", "/api/admin/analytics", analytics)
        else:
            self.refused("orders.admin_refused", "GET", "/api/admin/dashboard", 403)
            self.refused("orders.admin_refused", "GET", "/api/admin/analytics", 403)

    def list_products(self) -> list[Product]:
        """Return what is for sale, and remember it for the next order."""
        self.products = self.ask("orders.products", "GET", "/api/products", products_for_sale)
        return self.products

    def settle(self, path: str, total: float) -> None:
        """Confirm an order, some of them twice, which is refused; an admin also ships and delivers it."""
        payment = {"paymentMethod": "credit_card"}
        self.ask("orders.confirm", "POST", f"{path}/confirm", order_is("confirmed", total), json=payment)
        if random.random() < CONFIRMED_TWICE_SHARE:
            self.refused("orders.move_refused", "POST", f"{path}/confirm", 409, json=payment)
        if self.account().role == "admin":
            self.ask("orders.ship", "POST", f"{path}/ship", order_is("shipped", total))
            self.ask("orders.deliver", "POST", f"{path}/deliver", order_is("delivered", total))


class OrdersUser(ShopVisitor):
    """Browse, order, use the profile, administer, in shares 40/30/20/10."""

    weight = 2
    request_names: ClassVar[frozenset[str]] = ShopVisitor.request_names | {
        "orders.profile",
        "orders.profile_update",
    }
    task_requests: ClassVar[Mapping[str, Sequence[Step]]] = {
        **ShopVisitor.task_requests,
        "keep_profile": ("orders.profile", {"orders.profile_update": PROFILE_UPDATED_SHARE}, 1.0),
    }

    def keep_profile(self) -> None:
        """Look at the own profile; 20 % change their name and preferences."""
        self.account()
        self.ask("orders.profile", "GET", "/api/users/profile", profile_of(self.credentials.email))
        if random.random() < PROFILE_UPDATED_SHARE:
            name = f"Visitor {random.randrange(1_000_000)}"
            body = {"name": name, "preferences": {"newsletter": random.random() < 0.5}}
            self.ask("orders.profile_update", "PUT", "/api/users/profile", renamed_to(name), json=body)
        self.pause(1)

    tasks = [  # noqa: RUF012 - Locust's name
        *4 * [ShopVisitor.browse],
        *3 * [ShopVisitor.order],
        *2 * [keep_profile],
        ShopVisitor.administer,
    ]


def products_for_sale(answer: Answer) -> list[Product]:
    """Read the products, of which there must be some."""
    return [product_of(item) for item in filled(answer.body, "data", list)]


def product_of(item: Any) -> Product:
    """Read one product."""
    return Product(identifier(item, "id"), field(item, "price", float))


def same_product(product: Product) -> Callable[[Answer], None]:
    """Return a check that the answer is this product at the price it was listed with."""

    def check(answer: Answer) -> None:
        if product_of(answer.body) != product:
            raise WrongAnswerError("the product differs from the listed one")

    return check


def created_order(answer: Answer) -> Identifier:
    """Read the id of a new order."""
    return identifier(answer.body, "id")


def order_is(status: str, total: float) -> Callable[[Answer], None]:
    """Return a check that an order is in this state and costs this much."""

    def check(answer: Answer) -> None:
        if field(answer.body, "status", str) != status:
            raise WrongAnswerError(f"'status' is not {status}")
        if not abs(field(answer.body, "total", float) - total) < HALF_A_CENT:
            raise WrongAnswerError("'total' is not the sum of the items")

    return check


def profile_of(email: str) -> Callable[[Answer], None]:
    """Return a check that the profile is that of the account that signed in."""

    def check(answer: Answer) -> None:
        if field(answer.body, "email", str) != email:
            raise WrongAnswerError("'email' is another user's")

    return check


def renamed_to(name: str) -> Callable[[Answer], None]:
    """Return a check that the profile bears the new name."""

    def check(answer: Answer) -> None:
        if field(answer.body, "name", str) != name:
            raise WrongAnswerError("'name' is not the new one")

    return check


def dashboard(answer: Answer) -> None:
    """Check that the admin's dashboard counts the orders."""
    field(answer.body, "orders", dict)


def analytics(answer: Answer) -> None:
    """Check that the admin's analytics go by days."""
    field(answer.body, "days", list)
