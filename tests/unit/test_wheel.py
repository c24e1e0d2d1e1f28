"""The wheel of the golden model: complete, typed, and usable with numpy alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
at_start = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import sluicegate
assert Path(sluicegate.__file__).is_relative_to(sys.argv[1]), sluicegate.__file__
from sluicegate.dma import *
from sluicegate.p2pdma.api import *
from sluicegate.conformance.registry import UNSUPPORTED_LIST
host = Host()
dev = Device(host, "nic", backend=DmaIommu(host, RecordingDomain()))
assert dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)) == 0
dma = dma_map_single(dev, host.kmalloc(4096), 4096, DMA_TO_DEVICE)
assert dma_mapping_error(dev, dma) == 0
dma_unmap_single(dev, dma, 4096, DMA_TO_DEVICE)
host.assert_clean()
assert UNSUPPORTED_LIST.is_file()
files = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - at_start}
print(*{name.split(".")[0] for name, file in files.items() if "site-packages" in file})
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what it is made of, with nothing fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    shutil.copy(ROOT / "pyproject.toml", source)
    shutil.copytree(ROOT / "models", source / "models", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_every_module_the_type_marker_and_the_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"sluicegate/py.typed", "sluicegate/conformance/unsupported.json"} <= names
    modules = {str(path.relative_to(ROOT / "models")) for path in (ROOT / "models" / "sluicegate").rglob("*.py")}
    assert modules == {name for name in names if name.endswith(".py")}


def test_it_needs_numpy_only(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        needed = [line for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-Dist")]
    assert [line.split()[1].split(">")[0] for line in needed] == ["numpy"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"numpy"}
