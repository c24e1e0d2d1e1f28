"""Which replayer reads which vector file, and the replay of a whole folder.

A file belongs to the replayer whose key is the longest prefix of its stem: ``iova_fast_rcache.jsonl.gz`` to
``iova_fast_rcache``, not to ``iova``. A new format is one module with a function ``Path -> FileResult`` and one line here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from sluicegate.conformance import dma_iova, dmapool, iova, iova_fast_rcache, map_sg, p2p_distance
from sluicegate.conformance.iommu_command import replay_commands
from sluicegate.conformance.iommu_page_request import replay_page_requests
from sluicegate.conformance.iommu_sequence import replay_sequences
from sluicegate.conformance.iommu_translation import replay_translations
from sluicegate.conformance.result import ConformanceError, FileResult

Replayer = Callable[[Path], FileResult]

REPLAYERS: Final[dict[str, Replayer]] = {
    "dma_iova": dma_iova.replay,
    "p2p_distance": p2p_distance.replay,
    "map_sg": map_sg.replay,
    "dmapool": dmapool.replay,
    "iova": iova.replay,
    "iova_fast_rcache": iova_fast_rcache.replay,
    "xlate": replay_translations,
    "seq": replay_sequences,
    "pri": replay_page_requests,
    "cmd": replay_commands,
}
"""Replayers on the golden model, by prefix of the file stem."""

UNSUPPORTED_LIST: Final = Path(__file__).with_name("unsupported.json")
"""Committed list of the features each device under test lacks: ``{dut: [feature, ...]}``. It only shrinks."""


def vector_files(path: Path) -> list[Path]:
    """All ``*.jsonl`` and ``*.jsonl.gz`` files below ``path`` (or ``path`` itself), sorted by name. Raises ConformanceError."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConformanceError(f"{path} does not exist: name a folder of vectors")
    files = sorted(file for file in path.rglob("*") if file.name.endswith((".jsonl", ".jsonl.gz")) and file.is_file())
    if not files:
        raise ConformanceError(f"{path} holds no *.jsonl or *.jsonl.gz file: nothing would be compared")
    return files


def replayer_of(file: Path, replayers: Mapping[str, Replayer]) -> Replayer:
    """The replayer with the longest key that starts the stem of ``file``. Raises ConformanceError when there is none."""
    stem = file.name.split(".")[0]
    keys = [key for key in replayers if stem == key or stem.startswith(key + "_")]
    if not keys:
        raise ConformanceError(f"{file.name} is of no known format: known are {', '.join(sorted(replayers)) or 'none'}")
    return replayers[max(keys, key=len)]


def replay_directory(path: Path, dut: str = "model", replayers: Mapping[str, Replayer] | None = None) -> list[FileResult]:
    """Replay every vector file below ``path`` and return one result a file.

    ``replayers`` serve another device under test than the model; its name is ``dut``. Raises :class:`ConformanceError` before
    any replay for an unknown file or device under test, and after it when not one case was found.
    """
    if replayers is None:
        if dut != "model":
            raise ConformanceError(f"device under test {dut!r} has no replayers here: only 'model' runs without a simulator")
        replayers = REPLAYERS
    chosen = [(file, replayer_of(file, replayers)) for file in vector_files(path)]
    results = [replayer(file) for file, replayer in chosen]
    for (file, _), result in zip(chosen, results, strict=True):
        if result.total == 0:
            raise ConformanceError(f"{file.name} holds no case: nothing was compared")
    return results


def undeclared_features(results: Iterable[FileResult], dut: str = "model") -> list[str]:
    """Features that cases needed, the device under test lacks, and the committed list does not name."""
    declared = json.loads(UNSUPPORTED_LIST.read_text(encoding="utf-8")).get(dut, [])
    needed = {feature for result in results for feature in result.unsupported}
    return sorted(needed - set(declared))
