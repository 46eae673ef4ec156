"""`plimsoll convert`: write the thresholds of k6, Taurus, Artillery or Gatling as a thresholds file."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from plimsoll.redact import redact
from plimsoll.run_files.exit_status import ExitStatus
from reports.convert import artillery, gatling, k6, taurus
from reports.convert.statements import Entry, Item, write
from reports.errors import ConfigError
from reports.files import read_regular, replaced, say, shortened
from reports.thresholds.entries import WATCHED, Threshold, is_watched
from reports.thresholds.reading import load_yaml, parse_thresholds
from reports.thresholds.statement import Statement

MAX_BYTES = 1024 * 1024


class Tool(NamedTuple):
    """Describe a tool: its thresholds in a file, if any, their conversion, and what is always different."""

    name: str
    thresholds_of: Callable[[object], object]
    convert: Callable[[object], Iterator[Item]]
    differs: tuple[str, ...]
    wanted: str


TOOLS = {
    "k6": Tool("k6", k6.thresholds_of, k6.convert, k6.DIFFERS, "options as JSON with 'thresholds'"),
    "taurus": Tool(
        "Taurus",
        lambda content: list(taurus.criteria_of(content)),
        taurus.convert,
        taurus.DIFFERS,
        "a configuration with 'criteria' of passfail, an execution or a scenario",
    ),
    "artillery": Tool(
        "Artillery",
        artillery.settings_of,
        artillery.convert,
        artillery.DIFFERS,
        "a script with 'config: ensure:'",
    ),
    "gatling": Tool(
        "Gatling",
        gatling.assertions_of,
        gatling.convert,
        gatling.DIFFERS,
        "js/assertions.json of a report (written up to Gatling 3.9)",
    ),
}


def convert(options: argparse.Namespace) -> tuple[int, str]:
    """Return 0 and the thresholds file, or where it was written; tell what was not carried on stderr.

    Raises ConfigError for a file that cannot be read, has no thresholds, or none that can be written here.
    """
    content = _content(read_regular(options.file, MAX_BYTES))
    named = [options.tool] if options.tool else [name for name in TOOLS if TOOLS[name].thresholds_of(content)]
    if len(named) > 1:
        raise ConfigError([f"has thresholds of {' and of '.join(named)}: choose one with --from"])
    if not named or not TOOLS[named[0]].thresholds_of(content):
        wanted = "; ".join(f"of {TOOLS[name].name} {TOOLS[name].wanted}" for name in named or TOOLS)
        raise ConfigError([f"has no thresholds that can be read, valid is {wanted}"])
    tool, written = TOOLS[named[0]], dict[Statement, str]()
    items = [_valid(item, written) for item in tool.convert(content)]
    notes = [f"not carried: {item.origin}: {reason}" for item in items for reason in item.lost]
    if not written:
        raise ConfigError([*notes, "has no threshold that can be written here"])
    say(sys.stderr, "".join(f"{shortened(redact(f'{options.file}: {note}'))}\n" for note in notes))
    text = write([f"From {options.file.name}, of {tool.name}.", *tool.differs], items)
    if options.output is None:
        return ExitStatus.PASS, text
    with replaced(options.output) as temporary:
        temporary.write_text(text, "utf-8")
    return ExitStatus.PASS, f"{options.output}\n"


def _content(raw: bytes) -> object:
    """Return what the file says, as JSON or YAML; raises ConfigError where it cannot be read."""
    try:
        text = raw.decode("utf-8-sig")
        if text.lstrip().startswith(("{", "[")):
            return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ConfigError([f"is not valid JSON in line {error.lineno}: {error.msg}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"is not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"is not valid JSON: {error}"]) from error
    return load_yaml(text)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON; raises ValueError where a key is there twice, of which one would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key appears twice in an object with {', '.join(map(repr, list(found)[:5]))}")
    return found


def _parsed(entry: Entry) -> tuple[Entry, Threshold]:
    """Return an entry, marked as inverted where it is, and its threshold; raises ConfigError for another."""
    inverted = replace(entry, is_inverted=True)
    try:
        (threshold,) = parse_thresholds(f"thresholds:\n  - {entry.yaml}\n")
    except ConfigError as error:
        if "inverted" not in str(error):
            raise
        (threshold,) = parse_thresholds(f"thresholds:\n  - {inverted.yaml}\n")
        return inverted, threshold
    return entry, threshold


def _valid(item: Item, written: dict[Statement, str]) -> Item:
    """Return the item with the entries that a thresholds file may have; *written* are those already in it."""
    entries: list[Entry] = []
    lost = list(item.lost)
    for entry in item.entries:
        try:
            if entry.abort and not is_watched(_parsed(replace(entry, abort=False))[1].statement):
                entry = replace(entry, abort=False)
                lost.append(f"{entry.statement!r} cannot abort a run: {WATCHED}")
            entry, threshold = _parsed(entry)
        except ConfigError as error:
            lost.append(str(error).removeprefix("threshold 1 "))
            continue
        if threshold.statement in written:
            lost.append(f"{entry.statement!r} is there already, from {written[threshold.statement]}")
            continue
        written[threshold.statement] = item.origin
        entries.append(entry)
    return replace(item, entries=tuple(entries), lost=tuple(lost))
