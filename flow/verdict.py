"""The pass rule: a run passed only if everything that could say otherwise was asked.

PASS = exit code 0, AND a results file with exactly the expected number of test cases, all passed, AND no `%Error`, `ERROR` or
`CRITICAL` in the log, AND a `test_result.json` left by the testbench for this test and seed, AND observed = expected = compared
on every link, AND something compared, by each checker that the DUT demands too. A failing run lists every reason; the signature
is the one the testbench gave, else it is made from the first reason.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = 1
LOG = "log.txt"
RESULT = "result.json"
TIMING = "timing.json"
RESULTS_XML = "results.xml"
TEST_RESULT = "test_result.json"

SIMULATOR_ERROR = re.compile(r"%Error(?:-\w+)?: (?:(?P<file>[^:\s]+?)(?:\.\w+)?:\d+: )?(?P<text>.*)")
LOGGED_ERROR = re.compile(r"(?<![\w.%])(ERROR|CRITICAL)(?!\w)\s*(?P<logger>[\w.]+)?\s*(?P<text>.*)")
OBJECT_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+(?=>)")
ABSOLUTE_FOLDER = re.compile(r"(?<![\w.])/(?:[\w.+-]+/)+")
MESSAGE_LENGTH = 300
TLPS = "TLPs"
NOT_TLPS = {"translation": "translations", "messages": "messages", "registers": "register accesses", "jobs": "jobs"}
"""What is compared on links that carry no TLPs."""


@dataclass(frozen=True)
class Signature:
    """What identifies a failure: runs with the same checker and block very likely failed for the same reason."""

    checker: str
    block: str
    message: str

    @property
    def bucket(self) -> str:
        return f"{self.checker} in {self.block}"


def compared_text(kinds: Mapping[str, int]) -> str:
    """How many of each kind: "1,200 TLPs", "1,200 TLPs and 90 translations"."""
    return " and ".join(f"{count:,} {name}" for name, count in sorted(kinds.items()) if count) or f"0 {TLPS}"


@dataclass(frozen=True)
class Result:
    """The verdict on one run."""

    test: str
    seed: int
    reproduce: str
    reasons: tuple[str, ...]
    """Why it failed; empty for a pass."""
    signature: Signature | None
    evidence: dict[str, Any] = field(default_factory=dict)
    """What the testbench reported: cycles, log_hash, links, comparisons, distinct."""

    @property
    def passed(self) -> bool:
        return not self.reasons

    @property
    def cycles(self) -> int:
        return int(self.evidence.get("cycles") or 0)

    @property
    def compared(self) -> int:
        """What was compared over all links, of whatever kind."""
        return sum(self.compared_kinds.values())

    @property
    def compared_kinds(self) -> Counter[str]:
        """How many TLPs, translations, ... were compared, by what they are called."""
        kinds: Counter[str] = Counter()
        for name, link in self.evidence.get("links", {}).items():
            kinds[NOT_TLPS.get(name, TLPS)] += link["compared"]
        return kinds

    def as_json(self) -> dict[str, Any]:
        signature = None
        if self.signature is not None:
            signature = {"checker": self.signature.checker, "block": self.signature.block, "message": self.signature.message}
        return {
            "schema": SCHEMA,
            "test": self.test,
            "seed": self.seed,
            "status": "pass" if self.passed else "fail",
            "reasons": list(self.reasons),
            "signature": signature,
            "reproduce": self.reproduce,
            "cycles": self.cycles,
            "log_hash": str(self.evidence.get("log_hash", "")),
            **{name: self.evidence.get(name, {}) for name in ("links", "comparisons", "distinct")},
        }


def from_json(data: dict[str, Any]) -> Result:
    """The result written by `Result.as_json`."""
    signature = Signature(**data["signature"]) if data["signature"] else None
    evidence = {name: data[name] for name in ("cycles", "log_hash", "links", "comparisons", "distinct")}
    return Result(data["test"], data["seed"], data["reproduce"], tuple(data["reasons"]), signature, evidence)


def judge(
    folder: Path,
    test: str,
    seed: int,
    dut: str,
    expected_testcases: int,
    exit_code: int,
    timed_out: bool,
    reproduce: str,
    required_checkers: Sequence[str] = (),
) -> Result:
    """Applies the pass rule to a run folder after the simulator has ended.

    ``required_checkers`` are those that must have compared something, by their names among the comparisons of the run.
    """
    causes: list[tuple[str, Signature]] = []

    def add(reason: str, checker: str, block: str = dut) -> None:
        causes.append((reason, Signature(checker, block, _stable(reason))))

    if timed_out:
        add("the watchdog stopped the run: it took too long", "watchdog")
    evidence, evidence_faults, reported = _read_test_result(folder / TEST_RESULT, test, seed)
    log = (folder / LOG).read_text(errors="replace") if (folder / LOG).is_file() else ""
    for reason, block in _simulator_errors(log):
        add(reason, "assertion", block or dut)
    for reason in _xml_faults(folder / RESULTS_XML, expected_testcases):
        add(reason, "test" if reason.startswith("test case") else "results")
    for reason, logger in _logged_errors(log):
        add(reason, "log", logger)
    if exit_code != 0 and not timed_out:
        what = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        add(f"the simulator ended with {what}", "simulator")
    for reason in evidence_faults:
        add(reason, "evidence")
    for checker in required_checkers if reported is None and evidence else ():
        if not evidence["comparisons"].get(checker):
            add(f"the checker '{checker}' judged nothing, and every run of this DUT needs it", checker, "testbench")
    if not causes and reported is not None:
        add("the testbench reports a failure", reported.checker, reported.block)
    signature = reported if causes and reported is not None else (causes[0][1] if causes else None)
    return Result(test, seed, reproduce, tuple(_stable(reason) for reason, _ in causes), signature, evidence)


def _simulator_errors(log: str) -> list[tuple[str, str]]:
    """(reason, block) of the first simulator error of each source file."""
    found: dict[str, tuple[str, str]] = {}
    for line in log.splitlines():
        if "%Error" in line:
            match = SIMULATOR_ERROR.search(line)
            block = Path(match["file"]).stem if match and match["file"] else ""
            found.setdefault(block, (f"simulator error: {match['text'] if match else line.strip()}", block))
    return list(found.values())


def _logged_errors(log: str) -> list[tuple[str, str]]:
    """(reason, logger) of the first error each logger logged."""
    found: dict[str, tuple[str, str]] = {}
    for line in log.splitlines():
        if match := LOGGED_ERROR.search(line):
            logger = match["logger"] or "log"
            found.setdefault(logger, (f"{match[1]} in the log: {logger} {match['text']}", logger))
    return list(found.values())


def _xml_faults(path: Path, expected: int) -> list[str]:
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except FileNotFoundError:
        return ["no results file: the test module was not imported or the simulator died"]
    except ElementTree.ParseError:
        return ["the results file is not complete: the simulator died"]
    faults = []
    if len(cases) != expected:
        faults.append(f"{len(cases)} test cases ran where exactly {expected} had to")
    for case in cases:
        for kind in ("failure", "error", "skipped"):
            element = case.find(kind)
            if element is not None:
                words = [element.get(name) or "" for name in ("error_type", "type", "error_msg", "message")]
                text = " ".join(dict.fromkeys(word for word in words if word)) or kind
                faults.append(f"test case {case.get('name')} {'skipped' if kind == 'skipped' else 'failed'}: {text}")
    return faults


def _read_test_result(path: Path, test: str, seed: int) -> tuple[dict[str, Any], list[str], Signature | None]:
    """(evidence, what is wrong with it, the signature the testbench gave)."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return {}, [f"no {TEST_RESULT}: the testbench did not reach its final check"], None
    except ValueError:
        return {}, [f"{TEST_RESULT} is not valid JSON"], None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        return {}, [f"{TEST_RESULT} is not of schema {SCHEMA}"], None
    faults = []
    if (data.get("test"), data.get("seed")) != (test, seed):
        faults.append(f"{TEST_RESULT} is of test {data.get('test')} seed {data.get('seed')}, not of this run")
    links = data.get("links")
    if not isinstance(links, dict) or not all(_is_link(link) for link in links.values()):
        return {}, [*faults, f"{TEST_RESULT} does not give observed, expected and compared for every link"], None
    for name, link in sorted(links.items()):
        if not link["observed"] == link["expected"] == link["compared"]:
            counts = f"observed {link['observed']}, expected {link['expected']}, compared {link['compared']}"
            faults.append(f"link {name}: {counts}")
    if sum(link["compared"] for link in links.values()) == 0:
        faults.append("nothing was compared")
    given = data.get("signature")
    reported = None
    if given or data.get("status") != "pass":
        given = given if isinstance(given, dict) else {}
        checker, block = str(given.get("checker", "testbench")), str(given.get("block", "unknown"))
        reported = Signature(checker, block, _stable(str(given.get("message", ""))))
    evidence = {name: data.get(name, {}) for name in ("links", "comparisons", "distinct")}
    return {**evidence, "cycles": data.get("cycles", 0), "log_hash": data.get("log_hash", "")}, faults, reported


def _is_link(link: object) -> bool:
    names = ("observed", "expected", "compared")
    return isinstance(link, dict) and all(type(link.get(name)) is int and link[name] >= 0 for name in names)


def _stable(text: str) -> str:
    """`text` without what differs between two runs of the same failure: object addresses and absolute paths."""
    text = OBJECT_ADDRESS.sub("", " ".join(text.split()))
    return ABSOLUTE_FOLDER.sub("", text)[:MESSAGE_LENGTH]
