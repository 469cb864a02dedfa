"""Size and time of an installation of the base and of each extra, in empty environments.

    python docs/results/install.py --out /tmp/install

Builds the wheel, then installs it with one extra after the other into an environment of its own,
with the versions of constraints.txt, and prints Markdown. Packages that pip has in its cache are
not downloaded again, so seconds, those that pass and those of processors, are of unpacking and
compiling; megabytes are those of site-packages
without pip and setuptools, the compiled modules included. In each, `affuse doctor` and
`affuse predict` have to work, without importing what only trainings need.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = ("", "train", "demo", "serve", "wav2vec2", "opensmile", "export", "parquet", "cluster")
#: What a prediction must not import.
UNWANTED = {"lightning", "tensorboard", "sklearn", "pandas", "scipy", "transformers", "skimage"}
#: Packages of the environment itself.
OWN = {"pip", "setuptools", "_distutils_hack", "pkg_resources"}
RECORDING = """
from pathlib import Path
from affuse.verification.installation import write_recording
write_recording(Path("talk.mp4"))
"""
#: A prediction with all its files, and the packages that it imports.
TRACED = """
import sys
from pathlib import Path
from affuse.inference.output import write_people
from affuse.inference.predictor import Predictor
from affuse.models.bundled import BUNDLED
found = Predictor(BUNDLED).predict_people(Path("talk.mp4"), 1, "all")
write_people(found, Path("traced"), "talk", formats=("eaf", "tidy"))
print(*{name.partition(".")[0] for name in sys.modules})
"""


def build(out: Path) -> Path:
    """The wheel of this folder."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return next(out.glob("*.whl"))


def environment(folder: Path) -> Path:
    """An empty environment; returns its Python."""
    venv.create(folder, with_pip=True, clear=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def install(python: Path, wheel: Path, extra: str) -> tuple[float, float]:
    """Install the wheel with an extra; returns seconds that passed, and of processors."""
    what = f"{wheel}[{extra}]" if extra else str(wheel)
    before, began = os.times(), time.perf_counter()
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), what], check=True)
    after, passed = os.times(), time.perf_counter() - began
    used = after.children_user + after.children_system
    return passed, used - before.children_user - before.children_system


def sizes(python: Path) -> dict[str, float]:
    """Megabytes of every package in an environment, as it lies in site-packages."""
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    folder = Path(run(python, "-c", code).strip())
    found: dict[str, float] = {}
    for entry in folder.iterdir():
        if entry.name.split("-")[0] not in OWN:
            files = entry.rglob("*") if entry.is_dir() else [entry]
            found[entry.name] = sum(f.stat().st_size for f in files if f.is_file()) / 1e6
    return found


def run(python: Path, *words: str, cwd: Path | None = None) -> str:
    """What a program prints, without the code of this folder."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), *words], cwd=cwd, env=clean, capture_output=True, text=True, check=True
    )
    return done.stdout


def works(python: Path, folder: Path) -> dict[str, bool]:
    """Doctor and predict, in an environment; returns extra -> whether it is installed.

    Raises:
        SystemExit: Something is broken, or a prediction imports what only trainings need.
    """
    told = json.loads(run(python, "-m", "affuse", "doctor", "--json"))
    if not told["ok"]:
        raise SystemExit(f"affuse doctor: {told}")
    run(python, "-c", RECORDING, cwd=folder)
    said = run(python, "-m", "affuse", "predict", "talk.mp4", "--out", "out", cwd=folder)
    if not said.startswith("talk.mp4: "):
        raise SystemExit(f"affuse predict: {said}")
    if imported := UNWANTED & {*run(python, "-c", TRACED, cwd=folder).split()}:
        raise SystemExit(f"affuse predict imports {', '.join(imported)}")
    checks = told["checks"].items()
    return {n.removeprefix("extra "): c["ok"] for n, c in checks if n.startswith("extra ")}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the environments")
    parser.add_argument("--extras", nargs="*", default=EXTRAS, help="empty: the base")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wheel = build(options.out / "wheel")
    print(f"The wheel has {wheel.stat().st_size / 1e6:.1f} MB.\n")
    print("| installed | packages | MB | MB without torch | seconds | processor seconds |")
    print("|---|---|---|---|---|---|", flush=True)
    base: dict[str, float] = {}
    for extra in options.extras:
        folder = options.out / (extra or "base")
        python = environment(folder)
        passed, used = install(python, wheel, extra)
        found = sizes(python)
        base = base or found
        if not works(python, folder).get(extra, True):
            raise SystemExit(f"affuse doctor does not find the extra {extra}")
        packages = sum(name.endswith(".dist-info") for name in found)
        total, torch = sum(found.values()), found["torch"]
        name = f"`affuse[{extra}]`" if extra else "`affuse`"
        cells = [name, packages, *map(round, (total, total - torch, passed, used))]
        print("|", " | ".join(map(str, cells)), "|", flush=True)
    print("\n| package of the base | MB |\n|---|---|")
    for name, size in sorted(base.items(), key=lambda pair: -pair[1])[:12]:
        print(f"| {name} | {size:.0f} |")


if __name__ == "__main__":
    main()
