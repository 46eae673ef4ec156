"""advice.json of a run directory: what would make the database faster, as `plimsoll advise` found it."""

from typing import Any, NamedTuple

ADVICE_FILE = "advice.json"
ADVICE_SCHEMA_VERSION = 1
GROUPS = RESPONSE_TIME, THROUGHPUT, RELIABILITY, RESOURCES = (
    "response time",
    "throughput",
    "reliability",
    "resources",
)
"""What a finding is about, in the order in which they are shown."""
SEVERITIES = CRITICAL, HIGH, MEDIUM, NOTE = "critical", "high", "medium", "note"
SEVERITY_OF_GROUP = {RESPONSE_TIME: HIGH, THROUGHPUT: MEDIUM, RELIABILITY: CRITICAL, RESOURCES: HIGH}


class Gain(NamedTuple):
    """What an index was measured to do to a statement on a branch, and what it costs.

    Each parameter set was executed without and with the index, warm. ratio is the median of its two times,
    with over before, ratio_low and ratio_high hold it with 95 % confidence; None where that takes more sets.
    Blocks are the medians of those touched. A row is one that was inserted into a copy of the table; times
    are medians. updates_not_hot are updates of the run that set a column of the index: they can no longer
    be heap-only.
    """

    definition: str
    statement: str
    parameter_sets: int
    before_ms: float
    after_ms: float
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    before_blocks: float
    after_blocks: float
    is_used: bool
    build_s: float
    index_bytes: int
    wal_bytes_per_row_before: float | None
    wal_bytes_per_row_after: float | None
    insert_us_per_row_before: float | None
    insert_us_per_row_after: float | None
    updates_not_hot: int
    hot_update_ratio: float | None

    @property
    def is_shown(self) -> bool:
        """Tell whether the index was used, was faster within the whole interval, and touched fewer blocks."""
        is_faster = self.ratio_high is not None and self.ratio_high < 1
        return self.is_used and is_faster and self.after_blocks < self.before_blocks

    @property
    def words(self) -> tuple[str, str]:
        """Return what was measured, and what the index costs."""
        interval = "" if self.ratio_low is None else f", {self.ratio_low:.3g} to {self.ratio_high:.3g}"
        used = "" if self.is_used else "; the plan does not use it"
        measured = (
            f"measured on a branch: {self.before_ms:.3g} ms before, {self.after_ms:.3g} ms after, ratio"
            f" {self.ratio:.3g}{interval} of {self.parameter_sets} parameter sets;"
            f" {self.before_blocks:,.0f} blocks before, {self.after_blocks:,.0f} after{used}"
        )
        costs = [f"{self.index_bytes / 1e6:.2g} MB", f"built in {self.build_s:.2g} s"]
        if self.wal_bytes_per_row_before is not None and self.insert_us_per_row_before is not None:
            costs += [
                f"an inserted row writes {self.wal_bytes_per_row_before:,.0f} bytes of WAL before,"
                f" {self.wal_bytes_per_row_after:,.0f} after, and takes"
                f" {self.insert_us_per_row_before:.3g} µs before, {self.insert_us_per_row_after:.3g} µs after"
            ]
        if self.updates_not_hot:
            costs += [
                f"{self.updates_not_hot:,} updates of the run set its columns: they can no longer be HOT"
            ]
        return measured, f"costs: {'; '.join(costs)}; {self.definition}"


class Finding(NamedTuple):
    """One finding of advice.json: evidence has figures by name, gain what was measured, if anything."""

    kind: str
    group: str
    severity: str
    subject: str
    text: str
    evidence: dict[str, Any]
    next_steps: tuple[str, ...]
    gain: Gain | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        gain = None if self.gain is None else self.gain._asdict()
        return self._asdict() | {"next_steps": list(self.next_steps), "gain": gain}


class Advice(NamedTuple):
    """advice.json without its version: tried are indexes without a gain, notes what was not looked at."""

    run: str
    made: str
    server: str | None
    branch: str
    findings: list[Finding]
    tried: list[Gain]
    notes: list[str]

    @property
    def facts(self) -> dict[str, Any]:
        """Return the content of advice.json."""
        lists = {
            "findings": [each.facts for each in self.findings],
            "tried": [each._asdict() for each in self.tried],
        }
        return {"schema_version": ADVICE_SCHEMA_VERSION} | self._asdict() | lists

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Advice":
        """Return the advice of advice.json.

        Raises KeyError, TypeError or ValueError where it is none of this schema version.
        """
        if facts["schema_version"] != ADVICE_SCHEMA_VERSION:
            raise ValueError(f"schema_version {facts['schema_version']!r}, expected {ADVICE_SCHEMA_VERSION}")
        findings = []
        for each in facts["findings"]:
            gain = each["gain"] and Gain(**each["gain"])
            findings.append(Finding(**each | {"gain": gain, "next_steps": tuple(each["next_steps"])}))
        if not {each.group for each in findings} <= set(GROUPS):
            raise ValueError(f"a group that is none of {', '.join(GROUPS)}")
        tried = [Gain(**each) for each in facts["tried"]]
        known = {name: facts[name] for name in cls._fields}
        return cls(**known | {"findings": findings, "tried": tried})
