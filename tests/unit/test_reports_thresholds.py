"""Thresholds: the grammar, the YAML around it, and every fault's text."""

import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reports.errors import ConfigError, nearest_hint
from reports.thresholds.grammar import OPERATORS, parse
from reports.thresholds.metric import metric_of
from reports.thresholds.reading import MAX_BYTES, Known, as_yaml, parse_thresholds, read_thresholds, validate
from reports.thresholds.selector import Condition, Target, single
from reports.thresholds.statement import Statement


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
        metric_of(metric), single(pattern), Target.REQUESTS, operator, limit, source
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
        ("p95 == 5 ms", "unknown operator '==', valid are < <= > >="),
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
        "threshold 2 'error_rate <= 100%'",
        "threshold 3 'rps >= 0/s'",
    ]


def test_words_in_quotes_are_names() -> None:
    """A request that is called like a word of the grammar is meant in quotes."""
    assert [c.text for c in parse('p95 of "not" or "or" < 1 s').selector.conditions] == ["not", "or"]


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


@given(st.text())
def test_parser_never_crashes(source: str) -> None:
    """Any text is either a statement or a ValueError with one line of text."""
    try:
        parse(source)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right


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
        "threshold 1 'p95 < 5': the limit has no unit: p95 takes a time in us, ms, s or min,"
        " such as '500 ms'",
        "threshold 3 'p101 < 1 s': percentile 'p101' is out of range, valid are p0.1 to p100,"
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
        ("thresholds: [{expr: p95 < 1 s, abort: true}]", "'p95 < 1 s': 'abort' is not available yet"),
        (
            "thresholds: [{expr: p95 < 1 s, lvel: warn}]",
            "unknown key 'lvel', valid are 'expr' and 'level'; did you mean 'level'?",
        ),
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
