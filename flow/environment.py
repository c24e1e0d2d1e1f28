"""Makes the project's own Python environment, `.venv`, from the hash-locked requirements; `make` calls it before anything else.

It runs under whatever `python3` the machine has, so it uses the standard library only and no syntax younger than Python 3.6.
An environment that already holds every locked version is left alone.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from flow.errors import UserError

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "flow" / "requirements.lock"
REQUIREMENTS = ROOT / "flow" / "requirements.in"
VENV = ROOT / ".venv"
STAMP = ROOT / "build" / "environment.stamp"
LOCK_VENV = ROOT / "build" / "lock-environment"
LOCK_TOOL = "uv==0.9.7"
LIST_INSTALLED = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"


def main() -> int:
    """`python3 -m flow.environment [lock]`; returns the exit status."""
    try:
        if sys.argv[1:] == ["lock"]:
            lock()
        else:
            set_up()
    except UserError as error:
        print("error: {}".format(error), file=sys.stderr)  # noqa: UP032
        if error.detail:
            print(error.detail, file=sys.stderr)
        return 2
    return 0


def set_up() -> None:
    """Brings `.venv` to the locked versions and leaves the stamp that `make` looks at."""
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:2]))
        raise UserError("Python {} is too old: 3.11 or newer is needed; name one with PYTHON=python3.11.".format(version))  # noqa: UP032
    python = VENV / "bin" / "python"
    missing = _missing(python)
    if missing:
        if VENV.is_symlink():
            raise UserError(
                f".venv is a link to an environment that lacks {', '.join(missing[:3])}: remove the link and try again."
            )
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(VENV)], "Making .venv failed (Debian: apt-get install python3-venv).")
        print(f"installing {len(missing)} locked packages into .venv (once)", flush=True)
        pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes", "-r", str(LOCK)]
        _run(pip, "Installing the locked packages failed; is a package index reachable?")
        still = _missing(python)
        if still:
            raise UserError(f"After installing, .venv still lacks {', '.join(still)}.")
    STAMP.parent.mkdir(parents=True, exist_ok=True)
    STAMP.touch()


def lock() -> None:
    """Writes `requirements.lock` anew from `requirements.in`: newest allowed versions, hashes of every platform's archives."""
    python = LOCK_VENV / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(LOCK_VENV)], "Making an environment for the lock tool failed.")
    _run([str(python), "-m", "pip", "install", "--quiet", LOCK_TOOL], f"Installing {LOCK_TOOL} failed.")
    options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    command = [str(python), "-m", "uv", "pip", "compile", *options, "--python-version", "3.11", "--upgrade"]
    _run([*command, "--output-file", str(LOCK), str(REQUIREMENTS)], "Resolving the requirements failed.")


def _missing(python: Path) -> "list[str]":
    """Locked requirements the environment does not have; those with a marker count only where another version is there."""
    wanted = re.findall(r"^([\w.-]+)==([^\s;\\]+)[ \t]*(;?)", LOCK.read_text(), re.MULTILINE)
    if not python.exists():
        return [f"{name}=={version}" for name, version, _ in wanted]
    done = subprocess.run([str(python), "-c", LIST_INSTALLED], capture_output=True, text=True, check=False)
    installed = dict(line.split("==", 1) for line in map(_normalised, done.stdout.splitlines()) if "==" in line)
    return [
        f"{name}=={version}"
        for name, version, marker in wanted
        if installed.get(_normalised(name), version if marker else None) != _normalised(version)
    ]


def _normalised(text: str) -> str:
    return re.sub(r"[-_]+", "-", text.strip().lower())


def _run(command: "list[str]", sentence: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(sentence, "\n".join(done.stderr.strip().splitlines()[-6:]))


if __name__ == "__main__":
    sys.exit(main())
