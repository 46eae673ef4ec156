"""Thresholds: the grammar, the YAML around it, and every fault's text."""

import os
import random
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plimsoll.run_files.files import threshold_files
from reports.errors import ConfigError, nearest_hint
from reports.thresholds.entries import threshold_of
from reports.thresholds.grammar import parse
from reports.thresholds.known import Known, validate
from reports.thresholds.limits import OPERATORS
from reports.thresholds.metrics import metric_of
from reports.thresholds.reading import (
    MAX_BYTES,
    as_yaml,
    limits_ms,
    parse_thresholds,
    read_thresholds,
)
from reports.thresholds.selectors import Condition, Target, single
from reports.thresholds.statement import Measure, Part, Scope, Statement


def faults_of(text: str) -> tuple[str, ...]:
    """Return the faults of a YAML text that must have some."""
    with pytest.raises(ConfigError) as caught:
        parse_thresholds(text)
    return caught.value.faults


@pytest.mark.parametrize(
    ("source", "metric", "pattern", "operator", "limit"),
    [
        ("p95 of careers.select < 500 ms", "p95", "careers.select", "<", 500),
        ("p99.9 <= 2s", "p99.9", "*", "<=", 2000),
        ("p100 of a* < 1 min", "p100", "a*", "<", 60_000),
        ("max of 'GET /a b' < 250us", "max", "GET /a b", "<", 0.25),
        ("mean<1.5 s", "mean", "*", "<", 1500),
        ("min > .5 ms", "min", "*", ">", 0.5),
        ("error_rate of orders.* < 1%", "error_rate", "orders.*", "<", 1),
        ("rps >= 100/s", "rps", "*", ">=", 100),
        ("rps > 100", "rps", "*", ">", 100),
        ('count of "of" > 1000', "count", "of", ">", 1000),
        ("failures <= 0", "failures", "*", "<=", 0),
    ],
)
def test_statement_is_understood(source: str, metric: str, pattern: str, operator: str, limit: float) -> None:
    """A statement gives its metric, selector, operator and limit in the unit of the metric."""
    assert parse(source) == Statement(
        Measure(metric_of(metric), single(pattern), Target.REQUESTS), operator, limit, source
    )
    assert parse(source).source == source


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("p101 < 5 ms", "percentile 'p101' is out of range, valid are p0.1 to p100"),
        ("p0 < 5 ms", "percentile 'p0' is out of range"),
        ("p95 < 5", "the limit has no unit: p95 takes a time in us, ms, s or min"),
        ("p95 < 5 MB", "unit 'MB' does not fit p95: p95 takes a time"),
        ("error_rate < 0.01", "the limit has no unit: error_rate takes per cent, such as '1%'"),
        ("error_rate < 101%", "'< 101%' always holds, as error_rate is never above 100%; valid is a limit"),
        ("rps > 5 ms", "unit 'ms' does not fit rps: rps takes a number a second"),
        ("count > 5%", "unit '%' does not fit count: count takes a bare number"),
        ("eror_rate < 1%", "unknown metric 'eror_rate', valid are a percentile such as p95.*'error_rate'"),
        ("avg < 5 ms", "unknown metric 'avg'.*here it is called 'mean'"),
        ("median < 5 ms", "here it is called 'p50'"),
        ("dropped < 1%", "here it is called 'dropped_iterations'"),
        ("late < 1%", "here it is called 'late_iterations'"),
        ("response_p95 < 1 s", "it is called 'corrected_p95' now"),
        ("busy_mean of transaction:a < 1 s", "it is called 'cumulated_mean' now"),
        ("p95 == 5 ms", "column 5: '==' is for counts, such as 'failures == 0'.* '== 5 ms ± 10%'"),
        ("count != 5%", "unit '%' does not fit count"),
        ("p95 = 5 ms", "unknown operator '=', valid are < <= > >=.*did you mean"),
        ("p95 of x during < 5 ms", "column 17: 'during' is followed by '<', where a stage is wanted"),
        ("p95 of GET /x < 5 ms", "'/x' stands where .* spaces in quotes"),
        ("p95", "nothing stands where one of"),
        ("p95 of < 5 ms", "'of' is followed by '<', where a request name or glob is wanted"),
        ("p95 of '' < 5 ms", "'of' is followed by ''"),
        ("p95 <", "the limit is nothing, where a number that is not negative is wanted"),
        ("p95 < -5 ms", "the limit is '-5'"),
        ("p95 < 'x' ms", "the limit is 'x'"),
        ("p95 < 5 ms or so", "'or' follows the limit, where the statement should end"),
        ("p95 of 'x < 5 ms", "the quote ' is never closed"),
        ("< 5 ms", "starts with '<', where a metric is wanted"),
        ("", "starts with nothing"),
        (f"count > 1{'0' * 400}", "is too large"),
        ("rate > 80%", "'rate' is one of the journey's own metrics, valid is 'rate of NAME > 80%'"),
        ("rate of transaction:a > 80%", "'rate' is one of the journey's own metrics"),
        ("cumulated_p95 < 1 s", "'cumulated_p95' applies to transactions only, valid is 'cumulated_p95 of"),
        ("p95 of a and transaction:b < 1 s", "names requests, iterations or transactions together"),
        ("p95 of a and < 1 s", "'and' is followed by '<', where a request name or glob is wanted"),
        ("p95 of not < 1 s", "'not' is followed by '<'"),
        ("p95 of or < 1 s", "'of' is followed by 'or'"),
        ("p95 of a b < 1 s", "'b' stands where .* with and, or, not"),
        ("error_rate of page.cls < 1", "the limit has no unit: error_rate takes per cent"),
        ("p95 of page.cls < 1 pt", "unit 'pt' does not fit p95: p95 takes a time"),
        ("corrected_p95 of a < 1", "the limit has no unit"),
        ("p95 of transaction:a < 1", "the limit has no unit"),
        (
            "dropped_iterations of a < 1%",
            "'dropped_iterations' is about the whole run, valid is 'dropped_iterations < 1%' without 'of'",
        ),
        (
            "late_iterations < 5 ms",
            "unit 'ms' does not fit late_iterations: late_iterations takes a bare number",
        ),
        (
            "dropped_iterations < 101%",
            "'< 101%' always holds, as dropped_iterations is never above 100%; valid is a limit",
        ),
        ("corrected_min < 5 ms", "unknown metric 'corrected_min'"),
        ("corrected_p101 < 5 ms", "percentile 'corrected_p101' is out of range"),
        ("corrected_p95 < 5%", "unit '%' does not fit corrected_p95"),
    ],
)
def test_fault_says_what_would_be_valid(source: str, text: str) -> None:
    """Each mistake is named with the received word and what would be valid."""
    with pytest.raises(ValueError, match=text):
        parse(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("error_rate <= 100%", "'<= 100%' always holds, as error_rate is never above 100%; valid is a limit"
         " below 100%, or '< 100%'"),
        ("error_rate >= 0%", "'>= 0%' always holds, as error_rate is never below 0%; valid is a limit above"
         " 0%, or '> 0%'"),
        ("error_rate < 0%", "'< 0%' never holds, as error_rate is never below 0%; valid is a limit above 0%,"
         " or '<= 0%'"),
        ("error_rate > 100%", "'> 100%' never holds, as error_rate is never above 100%; valid is a limit"
         " below 100%, or '>= 100%'"),
        ("error_rate >= 101%", "'>= 101%' never holds"),
        ("rps >= 0/s", "'>= 0/s' always holds"),
        ("rps < 0", "'< 0/s' never holds"),
        ("count >= 0", "'>= 0' always holds"),
        ("failures of a >= 0", "'>= 0' always holds"),
        ("p95 >= 0 s", "'>= 0 ms' always holds, as p95 is never below 0 ms; valid is a limit above 0 ms, or"
         " '> 0 ms'"),
        ("max of a < 0 ms", "'< 0 ms' never holds"),
        ("max of pool >= 0", "'>= 0' always holds"),
        ("rate of hits <= 100%", "'<= 100%' always holds"),
        ("checks of body >= 0%", "'>= 0%' always holds"),
        ("dropped_iterations >= 0", "'>= 0' always holds"),
        ("late_iterations <= 100%", "'<= 100%' always holds"),
    ],
)  # fmt: skip
def test_limit_that_nothing_can_break_or_keep_is_refused(source: str, text: str) -> None:
    """A limit at the end of its metric's range that holds always or never says nothing of any run."""
    with pytest.raises(ValueError, match=re.escape(text)):
        parse(source)


@pytest.mark.parametrize(
    "source",
    ["error_rate < 100%", "error_rate <= 0%", "error_rate > 0%", "error_rate >= 100%", "failures <= 0",
     "count > 0", "rps > 0/s", "rate of hits >= 100%", "checks of body > 0%", "late_iterations < 100%"],
)  # fmt: skip
def test_limit_that_only_the_extreme_breaks_or_keeps_is_taken(source: str) -> None:
    """A limit at the end of its metric's range stays where a run can both keep and break it."""
    assert parse(source).source == source


def test_foregone_limit_is_refused_with_its_position_whatever_its_level() -> None:
    """A limit that is foregone is one of the file's faults, named by its place, as a warning too."""
    faults = faults_of("thresholds: [p95 < 1 s, {expr: error_rate <= 100%, level: warn}, rps >= 0/s]")
    assert [fault.partition(": '")[0] for fault in faults] == [
        "threshold 2 'error_rate <= 100%': column 12",
        "threshold 3 'rps >= 0/s': column 5",
    ]


def test_words_in_quotes_are_names() -> None:
    """A request that is called like a word of the grammar is meant in quotes."""
    assert [c.text for c in parse('p95 of "not" or "or" < 1 s').selector.conditions] == ["not", "or"]


@pytest.mark.parametrize(
    ("source", "scope"),
    [
        ("p95 during steady < 1 s", Scope()),
        ("p95 of a during hold < 1 s", Scope(Part.STAGE, "hold")),
        ("p95 during 'the spike' < 1 s", Scope(Part.STAGE, "the spike")),
        ("p95 during 'steady' < 1 s", Scope(Part.STAGE, "steady")),
        ("p95 over first 5 min < 1 s", Scope(Part.FIRST, to_s=300)),
        ("p95 over last 1h < 1 s", Scope(Part.LAST, to_s=3600)),
        ("p95 over 10 s to 30s < 1 s", Scope(Part.ELAPSED, from_s=10, to_s=30)),
        ("p95 each minute < 1 s", Scope(window_s=60)),
        ("p95 each 10 s < 1 s", Scope(window_s=10)),
        ("p95 worst 500 ms < 1 s", Scope(window_s=0.5, is_worst=True)),
        ("p95 of a during hold each minute < 1 s", Scope(Part.STAGE, "hold", window_s=60)),
        ("rps over last 5 min worst 30 s > 1", Scope(Part.LAST, to_s=300, window_s=30, is_worst=True)),
        ("recovery after spike < 10 s", Scope(Part.AFTER, "spike")),
        ("degradation of p95 of a over last 59 min < 20%", Scope(Part.LAST, to_s=3540)),
        ("max of generator.cpu during h* each minute < 80%", Scope(Part.STAGE, "h*", window_s=60)),
    ],
)
def test_scope_says_which_part_of_the_run_is_meant(source: str, scope: Scope) -> None:
    """A figure is of the steady state, of a stage or of a time, as a whole or in windows."""
    (measure,) = parse(source).measures
    assert measure.scope == scope


@pytest.mark.parametrize(
    ("source", "unit", "limit"),
    [
        ("p95 of pool + p95 of select < 0.5 s", "ms", 500),
        ("p95 - 20 ms < 1 s", "ms", 1000),
        ("recovery after a + 1 min < 2 min", "s", 120),
        ("p95 of singly / p95 of batched > 2", "", 2),
        ("failures / count < 1%", "", 0.01),
        ("count - failures > 5", "", 5),
        ("p95 / p50 - 1 < 20%", "", 0.2),
        ("2 * p95 < 1 s", "ms", 1000),
        ("error_rate of a - error_rate of b < 1%", "%", 1),
        ("bytes / count < 5 KB", "B", 5000),
        ("bytes / bytes < 5", "", 5),
        ("(p95 of items(1) + (p50 of b)) / 2 < 1 s", "ms", 1000),
        ("(failures of iteration:* / count of iteration:*) * 100 <= 1", "", 1),
        ("max of pool.size - min of pool.size < 5", "", 5),
        ("slope of p95 of page.cls < 0.1/h", "/h", 0.1),
        ("slope of p95 of a < 1 s/min", "ms/h", 60_000),
        ("slope of service.memory < 10 MB/h", "B/h", 1e7),
        ("slope of rps > -1/s/h", "/s/h", -1),
        ("degradation of p95 < 20%", "%", 20),
        ("max of service.memory < 500 MB", "B", 5e8),
        ("mean of postgres.connections < 100", "", 100),
        ("stdev of a < 100 ms", "ms", 100),
        ("variation of a < 50%", "%", 50),
        ("bytes_per_s > 1 MB/s", "B/s", 1e6),
        ("apdex( 0.5s ) of a > 0.9", "", 0.9),
        ("p95 - p50 of a <= 0 ms", "ms", 0),
        ("dropped_iterations - 1 < 5", "", 5),
    ],
)
def test_units_are_carried_through_arithmetic(source: str, unit: str, limit: float) -> None:
    """A sum has the unit of its parts, a quotient of equal units none, and the limit is in it."""
    statement = parse(source)
    assert statement.metric.kind.unit == unit
    assert statement.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("p95 + count < 1 s", "column 5: ms + a count has no unit; valid are + and - of the same unit"),
        ("p95 * p95 < 1 s", "column 5: ms * ms has no unit"),
        ("p95 / count < 1 s", "ms / a count has no unit"),
        ("p95 + 5 < 1 s", "column 7: the number has no unit, valid are us, µs, ms, s, min"),
        ("p95 + 5 MB < 1 s", "the number has the unit 'MB', valid are us"),
        ("p95 / 0 < 1 s", "column 5: it divides by 0"),
        ("p95 + < 1 s", "column 7: '+' is followed by '<', where a metric is wanted"),
        ("p95+p50 < 1 s", "unknown metric 'p95+p50'.*; the signs + - * / stand between spaces"),
        ("(p95 < 1 s", "column 6: '<' stands where ')' is wanted, for '(' in column 1"),
        ("5 < 6", "column 1: it has numbers only; valid is a metric in it"),
        ("p95 - p50 < 1", "column 13: the limit has no unit: p95 - p50 takes a time"),
        ("dropped_iterations - 1 < 5%", "unit '%' does not fit dropped_iterations - 1"),
        ("p95 each minute / p50 each 10 s < 3", "column 1: it has figures of different windows"),
        ("p95 each 0 s < 1 s", "column 10: the window is 0 s, valid is 0.001 s to"),
        ("p95 each 5 < 1 s", "the window has the unit '', valid is a time in ms, s, min or h"),
        ("p95 over 5 min < 1 s", "column 16: '<' stands where 'to' is wanted; valid are 'over first 5 min'"),
        ("p95 over 5 min to 1 min < 1 s", "the end is not after the start"),
        (
            "p95 over last minute < 1 s",
            "the length is 'minute', where a number that is not negative is wanted",
        ),
        ("p95 during hold during spike < 1 s", "column 17: 'during' stands where one of"),
        ("recovery < 1 s", "'<' stands where 'after' is wanted"),
        ("recovery after < 1 s", "'after' is followed by '<', where a stage is wanted"),
        ("degradation < 20%", "'<' stands where 'of' is wanted"),
        ("degradation of count < 20%", "column 16: there is no degradation of 'count', valid is such as"),
        ("slope of p95 each minute < 1 ms/h", "column 14: a slope is over a part of the run"),
        ("slope of p95 < 5 ms", "takes a change over time in us/h, us/min"),
        (
            "max of generator.cpuu < 80%",
            "column 8: nothing is sampled as 'generator.cpuu'; did you mean 'cpu'",
        ),
        ("max of generator.cpu and a < 80%", "column 22: 'and' stands where one of"),
        ("apdex > 0.9", "'apdex' is not known, valid is 'apdex(500 ms) > 0.9'"),
        ("apdex(0 ms) > 0.9", "valid is 'apdex(500 ms) > 0.9'"),
        ("apdex(500 ms) > 1", "'> 1' never holds, as apdex(500 ms) is never above 1"),
        ("p95 between 6 ms and 5 ms", "column 5: nothing is between 6 ms and 5 ms"),
        ("p95 between 5 ms or 6 ms", "'or' stands where 'and' is wanted: 'between A and B'"),
        ("p95 < 5 ms ± 1 ms", "'±' follows the limit"),
        ("p95 == baseline", "'== baseline' is not known"),
        ("p95 < baseline ± 10%", "'< baseline ±' is not known.*'== baseline ± 10%'"),
        (
            "p95 < baseline + 5",
            "the distance has the unit '', valid is per cent of the limit such as '10%', or",
        ),
        ("p95 < baselines", "the limit is 'baselines'"),
    ],
)
def test_fault_of_an_expression_or_a_scope_has_its_place(source: str, text: str) -> None:
    """What does not go together is named with its column, and with what would be valid."""
    with pytest.raises(ValueError, match=re.escape(text).replace(r"\.\*", ".*")):
        parse(source)


def test_a_name_in_quotes_is_a_request_even_if_something_sampled_is_called_so() -> None:
    """Only a bare word names a sampled series; others with the same beginning are requests."""
    targets = [
        parse(f"p95 of {name} < 5 ms").target
        for name in ("generator.lag_max", "'generator.lag_max'", "service.health")
    ]
    assert targets == [Target.SERIES, Target.REQUESTS, Target.REQUESTS]


@pytest.mark.parametrize(
    ("source", "sides"),
    [
        ("mean between 90 ms and 0.11 s", ["mean >= 90 ms", "mean <= 110 ms"]),
        ("mean == 100 ms ± 10%", ["mean >= 90 ms", "mean <= 110 ms"]),
        ("count == 100 ±5", ["count >= 95", "count <= 105"]),
        ("failures == 3", ["failures >= 3", "failures <= 3"]),
        ("p95 < 1 s", ["p95 < 1 s"]),
    ],
)
def test_a_band_is_two_limits(source: str, sides: list[str]) -> None:
    """A statement with two ends holds where both of its sides do."""
    found, stated = parse(source).sides, [parse(side) for side in sides]
    assert [(each.expression, each.operator) for each in found] == [
        (each.expression, each.operator) for each in stated
    ]
    assert [each.limit for each in found] == pytest.approx([each.limit for each in stated])


@pytest.mark.parametrize(
    ("limit", "earlier", "limits"),
    [
        ("< baseline", 200, (200, None)),
        ("< baseline + 10%", 200, (220, None)),
        ("< baseline+0.1 s", 200, (300, None)),
        ('< baseline "main" - 50 ms', 200, (150, None)),
        ("== baseline ± 10%", 200, (180, 220)),
    ],
)
def test_a_baseline_sets_the_limit(limit: str, earlier: float, limits: tuple[float, float | None]) -> None:
    """The figure of an earlier run, and a distance from it, give the limit or the band."""
    statement = parse(f"p95 of a {limit}")
    against = statement.against(earlier)

    assert statement.baseline is not None
    assert statement.baseline.name == ("main" if "main" in limit else "")
    assert against.limit == pytest.approx(limits[0])
    assert against.upper_limit == (limits[1] and pytest.approx(limits[1]))
    assert against.is_of_samples


def test_points_are_no_per_cent_of_a_share() -> None:
    """`pp` adds percentage points to an error rate, `%` a share of it."""
    points, share = (parse(f"error_rate < baseline + 5 {unit}").against(2.0).limit for unit in ("pp", "%"))
    assert [points, share] == pytest.approx([7.0, 2.1])


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("p95 > 1 s", "p95 < 1 s"),
        ("error_rate of 'a<b' >= 1%", "error_rate of 'a<b' <= 1%"),
        ("checks < 99%", "checks > 99%"),
        ("apdex(1 s) <= 0.9", "apdex(1 s) >= 0.9"),
        ("recovery after a > 1 s", "recovery after a < 1 s"),
        ("slope of p95 > 5 ms/h", "slope of p95 < 5 ms/h"),
        ("max of generator.cpu > 80%", "max of generator.cpu < 80%"),
        ("p95 > baseline", "p95 < baseline"),
        ("failures > 0", "failures <= 0"),
        ("error_rate >= 100%", "error_rate < 100%"),
    ],
)
def test_an_inverted_limit_is_asked_about(source: str, meant: str) -> None:
    """A limit that only a bad run keeps is refused with what was meant, unless the entry says so."""
    with pytest.raises(ValueError, match=re.escape(f"did you mean {meant!r}? A threshold states what must")):
        threshold_of(source)
    assert threshold_of({"expr": source, "inverted": True}).statement == parse(source)


@pytest.mark.parametrize(
    "source",
    ["rps < 100", "rps > 100", "min > 1 ms", "rate of cache < 5%", "p95 of pool.size > 1", "count < 5",
     "slope of rps > -5/s/h", "mean of generator.users > 5"],
)  # fmt: skip
def test_figures_that_may_be_wanted_high_or_low_are_not_asked_about(source: str) -> None:
    """Nobody but the user knows on which side of a limit a rate, a count or an own metric is good."""
    assert threshold_of(source).statement.source == source


def test_an_entry_says_what_is_to_come_of_a_statement() -> None:
    """Level, abort with its grace, a name and an inverted limit are read, and written again."""
    fast = "{expr: p95 < 1 s, abort: true, after: 1 min, name: Fast}"
    first, second = read = parse_thresholds(f"thresholds: [{fast}, {{expr: p95 > 1 ms, inverted: true}}]")

    assert (first.abort, first.after_s, first.name, first.is_inverted) == (True, 60, "Fast", False)
    assert (second.abort, second.after_s, second.name, second.is_inverted) == (False, 0, "", True)
    assert parse_thresholds(as_yaml(read)) == read


@pytest.mark.parametrize(
    ("expr", "spelled"),
    [
        ("p95 < ${LIMIT}", "p95 < 500 ms"),
        ("p95 of ${NAME:-shop.*} < ${LIMIT:-1 s}", "p95 of shop.* < 500 ms"),
        ("p95 of ${EMPTY:-a} < 1 s", "p95 of a < 1 s"),
        ("p95 of '/$${id}' < 1 s", "p95 of '/${id}' < 1 s"),
        ("p95 of $a < 1 s", "p95 of $a < 1 s"),
    ],
)
def test_variables_of_the_environment_stand_in_a_statement(expr: str, spelled: str) -> None:
    """${NAME} is the variable's value, ${NAME:-default} another where it is not set, $${ the text itself."""
    threshold = threshold_of(expr, {"LIMIT": "500 ms", "EMPTY": ""})

    assert threshold.statement.source == spelled
    assert threshold_of(threshold.entry, {}) == threshold


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("p95 < ${LIMT}", "column 7: the environment variable 'LIMT' is not set; set it, or give a default"),
        ("p95 < ${EMPTY}", "the environment variable 'EMPTY' is empty"),
        ("p95 < ${}", "column 7: '${' begins no variable"),
        ("p95 < ${A", "column 7: '${' begins no variable"),
        ("p95 < ${YAML}", "read as '1 s\\n  - rps > 1': column 13: '-' follows the limit"),
        ("p95 < ${LONG}", "has 2,006 characters, at most 1,000 are allowed"),
    ],
)
def test_fault_of_a_variable_names_it(expr: str, fault: str) -> None:
    """A variable that is not set is named, and a value can be no more than a part of its statement."""
    environment = {"EMPTY": "", "YAML": "1 s\n  - rps > 1", "LONG": "1" * 2000}
    with pytest.raises(ValueError, match=re.escape(fault.replace("'1 s", "'p95 < 1 s"))):
        threshold_of(expr, environment)


def test_several_files_are_one_list(tmp_path: Path) -> None:
    """Files follow each other; each fault names its file, and a statement that two files have names both."""
    for name, entries in (
        ("a", "p95 < 1 s"),
        ("b", "rps > 1, p95 < 1000 ms"),
        ("c", "p95 < 5"),
        ("d,e", "count > 1"),
    ):
        (tmp_path / f"{name}.yaml").write_text(f"thresholds: [{entries}]")
    a, b, c, both = (tmp_path / f"{name}.yaml" for name in ("a", "b", "c", "d,e"))

    assert threshold_files([f"{a},{b}", str(both)]) == [a, b, both]
    assert [each.statement.source for each in read_thresholds([a, both])] == ["p95 < 1 s", "count > 1"]
    with pytest.raises(ConfigError) as refused:
        read_thresholds([a, b, c])
    assert refused.value.faults == (
        f"threshold 'p95 < 1000 ms' appears twice, in {str(a)!r} and {str(b)!r}; valid is once",
        f"{c}: threshold 1 'p95 < 5': column 7: the limit has no unit: p95 takes a time in us, ms, s or min,"
        " such as '500 ms'",
    )


def test_stages_and_names_within_expressions_are_known_or_refused() -> None:
    """Each figure of an expression is held against what the run can send, its stage against the load's."""
    known = Known(["shop", "pay"], metrics=["pool.size"], stages=["ramp", "hold"])

    def fault(source: str) -> str:
        return "".join(validate([threshold_of(source)], known))

    assert fault("p95 of shop during hold / p95 of pay during h* < 2") == ""
    assert "no stage is named 'hld'; did you mean 'hold'?" in fault("p95 of shop during hld < 1 s")
    assert "no stage is named 'spike'; there are 'hold', 'ramp'" in fault("recovery after spike < 1 s")
    assert "no request is named 'shp'" in fault("p95 of pay - p95 of shp < 1 s")
    assert fault("max of pool.size < baseline + 1%") == fault("max of generator.cpu < 1%") == ""


def test_the_times_of_apdex_and_both_ends_of_a_band_are_counted_exactly() -> None:
    """The recorder is asked to count over every latency on which a verdict turns."""
    thresholds = parse_thresholds(
        "thresholds: [apdex(1 ms) > 0.9, p95 between 5 ms and 6 ms, p95 < baseline]"
    )
    assert limits_ms(thresholds) == [pytest.approx(limit) for limit in (1, 4, 5, 6)]


names = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), min_size=1)


@given(
    metric=st.sampled_from(["p50", "p99.9", "mean", "max"]),
    name=names,
    operator=st.sampled_from(OPERATORS),
    limit=st.integers(1, 10**9),
    unit=st.sampled_from(["us", "ms", "s", "min"]),
)
def test_parser_reads_back_what_is_spelled(
    metric: str, name: str, operator: str, limit: int, unit: str
) -> None:
    """Any name in quotes, operator and limit come back from the statement that spells them."""
    factor = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000}[unit]
    statement = parse(f'{metric} of "{name}" {operator} {limit} {unit}')
    assert (statement.metric.name, statement.selector.pattern) == (metric, name)
    assert (statement.operator, statement.limit) == (operator, limit * factor)


WORDS = re.findall(
    r"\S+",
    """
    p95 p99.9 p101 mean max min stdev variation count rps error_rate bytes apdex(500 apdex rate checks
    dropped_iterations corrected_p95 cumulated_p95 recovery degradation slope of after during over each worst
    between and or not to first last steady minute spike shop.* tag:a transaction:b 'a generator.cpu
    service.memory service.memry ( ) (p95 b) + - * / ± < <= > >= == != = baseline baseline+1% +10% 5 5ms 0 1e9
    .5 -1 ms) ms s min h % /s MB/s ms/h pp 100/s \N{ARABIC-INDIC DIGIT FIVE} \\ ${
    """,
)
VALID = [
    "p95 of a during hold each minute < 5 ms",
    "( p95 of a - p50 of 'b c' ) / mean over last 5 min < 20 %",
    "recovery of tag:a after spike < 10 s",
    "slope of service.memory over 10 s to 1 h < 10 MB/h",
    "count of a or not b == 100 ± 10 %",
    "rps worst 30 s > baseline 'main' - 10 %",
    "max of generator.cpu between 1 % and 80 %",
]


def random_text(seed: int) -> str:
    """Return characters, words of the language in any order, or a statement in which some are changed."""
    draw = random.Random(seed)
    how = draw.randrange(3)
    if how == 0:
        return "".join(
            chr(draw.randrange(draw.choice((0x80, 0x3000, 0xD800)))) for _ in range(draw.randrange(40))
        )
    words = draw.choice(VALID).split(" ") if how == 1 else draw.choices(WORDS, k=draw.randrange(14))
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(words) + 1)
        words[at : at + draw.randrange(2)] = draw.choices(WORDS, k=draw.randrange(3))
    return draw.choice((" ", " ", "")).join(words)


@settings(max_examples=10_000, derandomize=True, deadline=None)
@given(st.text() | st.integers(0, 2**64).map(random_text))
@example("(" * 500)
@example("(" * 18 + "p95" + ")" * 18 + " < 1 s")
@example("p95" + " + p95" * 160 + " < 1 s")
def test_any_text_is_a_statement_or_a_fault_with_its_place(source: str) -> None:
    """Any text is either a statement, or a ValueError of one line that names the column."""
    try:
        statement = parse(source)
    except ValueError as error:
        assert re.match(r"column \d+: .", str(error))  # noqa: PT017 - both outcomes are right
        assert len(str(error).splitlines()) == 1 or not source.isprintable()  # noqa: PT017 - as above
    else:
        assert statement.measures
        assert parse(statement.source) == statement


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_yaml_never_crashes(text: str) -> None:
    """Any text is either thresholds or a ConfigError with one line a fault."""
    try:
        parse_thresholds(text)
    except ConfigError as error:
        assert not any("\n" in fault for fault in error.faults)  # noqa: PT017 - both outcomes are right


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_content_is_refused_in_words(content: object) -> None:
    """Whatever stands in the list of thresholds gives faults, not a traceback."""
    text = yaml.safe_dump({"thresholds": [content, "p95 < 1 ms"]})
    for fault in faults_of(text):
        assert fault.startswith("threshold 1 ")


def test_entries_are_strings_or_mappings() -> None:
    """A statement decides by default; a mapping can make it a warning."""
    decides, warns = parse_thresholds("thresholds: [p95 < 1 s, {expr: error_rate < 1%, level: warn}]")
    assert (decides.level, decides.statement.metric.name) == ("fail", "p95")
    assert (warns.level, warns.statement.metric.name) == ("warn", "error_rate")


def test_every_fault_is_listed_at_once() -> None:
    """Three mistakes give three faults, each quoting its statement."""
    faults = faults_of("thresholds: [p95 < 5, p95 < 1 s, p101 < 1 s]\nlimits: []\n")
    assert faults == (
        "unknown key 'limits', valid is only 'thresholds'",
        "threshold 1 'p95 < 5': column 7: the limit has no unit: p95 takes a time in us, ms, s or min,"
        " such as '500 ms'",
        "threshold 3 'p101 < 1 s': column 1: percentile 'p101' is out of range, valid are p0.1 to p100,"
        " such as p95 or p99.9",
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- p95 < 1 s", "must be a mapping with the key 'thresholds', got list ['p95 < 1 s']"),
        ("", "must be a mapping with the key 'thresholds', got NoneType None"),
        ("thresholds: []", "must be a list of at least one statement"),
        ("thresholds: p95 < 1 s", "must be a list of at least one statement"),
        ("limits: [p95 < 1 s]", "'thresholds' must be a list of at least one statement"),
        ("thresholds: [p95 < 1 s, p95  <  1000 ms]", "'p95  <  1000 ms': appears twice"),
        ("thresholds: [p95 < 1 s]\nthresholds: [p95 < 2 s]", "in line 1: key 'thresholds' appears twice"),
        (
            "thresholds: [{expr: p95 < 1 s, lvel: warn}]",
            "unknown key 'lvel', valid are 'expr', 'level', 'abort', 'after', 'name' and 'inverted'; did you"
            " mean 'level'?",
        ),
        ("thresholds: [{expr: p95 < 1 s, abort: 1}]", "'abort' is 1, valid are true and false"),
        ("thresholds: [{expr: p95 < 1 s, abort: true, level: warn}]", "a warning cannot abort the run"),
        (
            "thresholds: [{expr: p95 < 1 s, after: 30 s}]",
            "before an abort, valid is with 'abort: true'",
        ),
        ("thresholds: [{expr: p95 < 1 s, abort: true, after: 30}]", "must be a time such as '30 s', got 30"),
        (
            "thresholds: [{expr: p95 < 1 s, abort: true, after: soon}]",
            "'30 s', got 'soon': column 1: ",
        ),
        ("thresholds: [{expr: p95 < 1 s, abort: true, after: 1 s x}]", "got '1 s x': column 5: 'x' follows"),
        *(
            (f"thresholds: [{{expr: {limit!r}, abort: true}}]", "cannot abort a run: valid are percentiles")
            for limit in (
                "count > 1",
                "max < 1 s",
                "apdex(1 s) > 0.9",
                "slope of p95 < 1 ms/h",
                "recovery after spike < 9 s",
                "max of generator.users < 9",
                "dropped_iterations < 1%",
                "p95 over first 5 min < 1 s",
                "p95 < baseline + 10%",
                "p95 of a + p95 of b < 1 s",
            )
        ),
        ("thresholds: [{expr: p95 < 1 s, inverted: 'no'}]", "'inverted' is 'no', valid are true and false"),
        (
            "thresholds: [{expr: p95 < 1 s, name: ''}]",
            "'name' is '', valid is one line of up to 120",
        ),
        ("thresholds: [{expr: p95 < 1 s, inverted: true}]", "the limit is not inverted"),
        ("thresholds: [{expr: p95 < 1 s, level: [warn]}]", "level ['warn'] is unknown, valid are 'fail'"),
        ("thresholds: [{level: warn}]", "'expr' must be a statement such as"),
        ("thresholds: [7]", "threshold 1 7: must be a statement such as"),
        ("thresholds: [p95 < 1 s", "is not valid YAML in line 1"),
        ("thresholds: \x07", "is not valid YAML: unacceptable character"),
        ("a: 2001-99-99", "is not valid YAML: month must be in 1..12"),
        ("[" * 1000, "is not valid YAML: maximum recursion"),
        ("? [a]\n: b", "is not valid YAML in line 1: found unhashable key"),
        (f"- {'x' * 200}", "…"),
        (f"? {'x' * 200}\n: 1\n? {'x' * 200}\n: 2", "…"),
        (f"{'x' * 200}: 1", "…"),
        (
            "a: &a [x]\nthresholds: [*a]",
            "is not valid YAML in line 2: aliases are not allowed, and text that",
        ),
        (f"thresholds: [0x{'f' * 5000}]", "threshold 1 a number too long to show: must be a statement"),
        (f"thresholds: [p95 of {'x' * 1000} < 1 s]", "…: has 1,013 characters, at most 1,000 are allowed"),
        (f"thresholds: [{'p95 < 1 s,' * 1001}]", "has 1,001 statements, at most 1,000 are allowed"),
    ],
)
def test_fault_of_the_file_is_named(text: str, fault: str) -> None:
    """Each mistake of the YAML around the statements is named."""
    assert fault in "\n".join(faults_of(text))


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("p95 of shop: home < 1 s", ": - 'p95 of shop: home < 1 s'"),
        ("""p95 of "it's: home" < 1 s""", """: - 'p95 of "it''s: home" < 1 s'"""),
        ("p95 of shop:", ": - 'p95 of shop:'"),
        ("expr: p95 of shop: home < 1 s", ""),
        ("{expr: p95 of shop: home < 1 s, level: warn}", ""),
        ("p95 of a: b: c < 1 s", ""),
    ],
)
def test_statement_that_yaml_takes_apart_is_to_be_quoted(entry: str, hint: str) -> None:
    """Where a name has a colon and a space in it, the fault says that the line must be in quotes, and how."""
    (fault,) = faults_of(f"thresholds:\n  - {entry}\n")

    assert fault.endswith(f"a statement with ': ' in it must be in quotes{hint}")


def test_only_a_regular_file_of_text_of_some_size_is_read(tmp_path: Path) -> None:
    """A device, a pipe or a huge file is refused at once, as is a file that is missing or no text."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff")
    for path, why in (
        (Path("/dev/zero"), "cannot be read: it is not a regular file"),
        (tmp_path / "pipe", "cannot be read: it is not a regular file"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "huge.yaml", "cannot be read: it has more than 65,536 bytes"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        (tmp_path / "none.yaml", "cannot be read: No such file or directory"),
        (tmp_path / "binary.yaml", "is not UTF-8 text: invalid start byte at byte 3"),
    ):
        with pytest.raises(ConfigError) as refused:
            read_thresholds(path)
        assert refused.value.faults == (why,)
    (tmp_path / "good.yaml").write_text("thresholds: [p95 < 1 s]")
    assert len(read_thresholds(tmp_path / "good.yaml")) == 1


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("*", ["careers.pool", "careers.select", "/users/[id]", "a*b", "aXb"]),
        ("careers.*", ["careers.pool", "careers.select"]),
        ("careers.p??l", ["careers.pool"]),
        ("/users/[id]", ["/users/[id]"]),
        ("a*b", ["a*b"]),
        ("careers", []),
        ("CAREERS.*", []),
    ],
)
def test_selector_chooses_by_name_or_glob(pattern: str, chosen: list[str]) -> None:
    """Globs know * and ?, brackets are ordinary, and a name equal to the pattern is meant alone."""
    known = ["careers.pool", "careers.select", "/users/[id]", "a*b", "aXb"]
    assert Condition(pattern).choose(known) == chosen


def test_unknown_names_are_refused_with_the_nearest() -> None:
    """A selector that matches nothing is a fault that names what may have been meant."""
    thresholds = parse_thresholds(
        "thresholds: [p95 < 1 s, p95 of care.pol < 1 s, p95 of zzz < 1 s, p95 of care.* < 1 s]"
    )
    assert validate(thresholds, Known(["select", "care.pool"])) == [
        "threshold 'p95 of care.pol < 1 s': no request is named 'care.pol'; did you mean 'care.pool'?",
        "threshold 'p95 of zzz < 1 s': no request is named 'zzz'; there are 'care.pool', 'select'",
    ]
    assert validate(thresholds[2:3], Known(list("abcdef")))[0].endswith("'a', 'b', 'c', 'd', 'e', …")
    assert validate(thresholds[:1], Known([])) == []


def test_a_wrong_statement_hides_no_unknown_name() -> None:
    """All that is wrong is told at once: statements that cannot be read, and names that nothing has."""
    with pytest.raises(ConfigError) as refused:
        parse_thresholds("thresholds: [p101 < 1 s, p95 of shp < 1 s]", Known(["shop"]))
    assert [fault.partition(":")[0] for fault in refused.value.faults] == [
        "threshold 1 'p101 < 1 s'",
        "threshold 'p95 of shp < 1 s'",
    ]


def test_hint_offers_similar_words_only() -> None:
    """A near word is offered whatever its case, a far one is not."""
    assert nearest_hint("P9", ["p99"]) == "; did you mean 'p99'?"
    assert nearest_hint("colour", ["p99"]) == ""


TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        (f'p95 of "/login?token={TOKEN}" < 1 s', 'p95 of "/login?token=***" < 1 s'),
        ("rps of '/login?token=hunter2' > 1", "rps of '/login?token=***' > 1"),
        (f"p95 of transaction:{TOKEN} < 1 s", "p95 of transaction:*** < 1 s"),
        ("count of tag:session and not 'token: x' < 5", "count of tag:session and not 'token: x' < 5"),
        ("p95 of '/reports?session=3' < 1 s", "p95 of '/reports?session=3' < 1 s"),
    ],
)
def test_secrets_in_names_are_masked_as_the_recorder_does(source: str, masked: str) -> None:
    """A selector means the recorded name, in which a secret is masked, and is shown like that."""
    statement = parse(source)

    assert statement == parse(masked)
    assert statement.source == masked


def test_a_masked_name_is_known() -> None:
    """A selector with a secret is held against the declared names as they are recorded."""
    known = Known(["/login?token=***"])

    assert parse_thresholds(f"thresholds: ['p95 of \"/login?token={TOKEN}\" < 1 s']", known)


@pytest.mark.parametrize(
    "entry",
    [
        f"p95 of login?token={TOKEN} < 1 s",
        f"p95 of 'login?token={TOKEN}' < 1 min or so",
        f"p95 of '{'x' * 60} http://ann:{TOKEN}@host/' < 1 mile",
        f"{{expr: p95 < 1 s, level: {TOKEN}}}",
        f"{{token={TOKEN}: 1}}",
    ],
)
def test_a_fault_quotes_no_secret(entry: str) -> None:
    """What is wrong is quoted with its secrets masked, also where the quotation is cut."""
    faults = faults_of(f"thresholds:\n- {entry}")

    assert TOKEN[:20] not in " ".join(faults)
    assert "threshold 1" in faults[0]


def test_thresholds_are_written_without_secrets() -> None:
    """A masked file means the same thresholds, and has neither a secret nor a comment."""
    limit = f"'p95 of \"/login?token={TOKEN}\" < 1 s'"
    text = f"# Bearer {TOKEN}\nthresholds:\n- {limit}\n- {{expr: 'rps of ä > 1', level: warn}}\n"
    read = parse_thresholds(text)

    assert parse_thresholds(as_yaml(read)) == read
    assert TOKEN not in as_yaml(read)
    assert "rps of ä > 1" in as_yaml(read)
