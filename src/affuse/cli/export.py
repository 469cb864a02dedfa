"""`affuse export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "model",
        nargs="?",
        type=Path,
        metavar="FILE|RUN",
        help="model file (.safetensors), or a folder that `affuse train` made of one fold "
        "(default: the bundled model)",
    )
    parser.add_argument("--format", choices=["onnx"], default="onnx", help="(default: onnx)")
    parser.add_argument("--out", type=Path, required=True, help="file to write (.onnx)")
    parser.add_argument(
        "--clips",
        nargs="+",
        type=Path,
        default=[],
        metavar="INPUT",
        help="recordings on which both files have to say the same, also with a modality missing, "
        "before the new one is kept (default: windows of noise)",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="dense layers with weights of 8 bits, if that is nearly as good on the --clips",
    )


def run(options: argparse.Namespace) -> int:
    """Export, and say how far the two files are apart."""
    from affuse.cli.model import chosen_model
    from affuse.export.export import export_onnx
    from affuse.inference.inputs import find_inputs

    inputs = find_inputs(options.clips)
    for error in inputs.failures:
        raise error
    done = export_onnx(chosen_model(options), options.out, list(inputs.names), options.int8)
    print(
        f"{options.out}: {done.size / 1e6:.1f} MB (the model file {done.original / 1e6:.1f} MB); "
        f"on {done.clips}: {done.difference}"
    )
    for name in done.missing:
        print(
            f"affuse export: the network of {name} is not in the file; predict takes it from "
            f"--source {name}=PATH, with torch",
            file=sys.stderr,
        )
    return 0
