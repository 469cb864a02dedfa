import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import run
from tests.toy import toy_recipe

from affuse.cli.main import RENAMED, VERBS, main
from affuse.features.catalogue import stream_spec


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_imports_nothing_heavy(verb: str) -> None:
    """Start-up time is measured in the benchmark; here: what makes it slow is not imported."""
    code = (
        "import sys; from affuse.cli.main import main\n"
        f"try: main({[verb, '--help'] if verb else ['--help']!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'cv2', 'av', 'lightning', 'matplotlib'}\n"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


@pytest.mark.parametrize(
    "kind",
    ["models", "systems", "corpora", "streams", "recipes", "protocols", "leaks", "conditions"],
)
def test_list_prints_a_table_and_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if not line.startswith(" ")]  # long cells go on below
    assert main(["list", kind, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(table) - 1 >= 2


def test_train_and_evaluate_by_command(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = toy_recipe(toy)
    store, out = toy / "store", toy / "run"
    assert run("train", recipe, "--store", store, "--out", out, "epochs=6", "fold=0") == 0
    assert run("evaluate", out, "--conditions", "av", "audio", "noisy-video") == 0
    printed = capsys.readouterr().out
    assert "noisy-video" in printed and "test clips of 1 fold" in printed
    assert run("evaluate", out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["conditions"]) == {"av", "audio", "video"}
    assert result["conditions"]["av"]["clips"] == 16
    assert (out / "evaluation" / "confusion-audio.png").read_bytes().startswith(b"\x89PNG")


def test_convert_there_and_back_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights of a model in its published form, as a user would have them."""
    import torch

    from affuse.models.checkpoints import published_state_dict
    from affuse.models.registry import create_model
    from affuse.models.systems.efficientface.published import STREAM

    torch.manual_seed(0)
    state = published_state_dict(create_model("efficientface", {STREAM: stream_spec(STREAM)}, 2))
    there, model, back = (tmp_path / name for name in ("a.pth", "a.safetensors", "b.pth"))
    torch.save({"state_dict": {f"module.{name}": x for name, x in state.items()}}, there)
    assert run("convert", "efficientface", there, "--out", model) == 2
    assert "2 classes of unknown meaning; name them with classes=" in capsys.readouterr().err
    assert run("convert", "efficientface", there, "classes=low,high", "--out", model) == 0
    assert "efficientface, low, high" in capsys.readouterr().err
    assert run("convert", "efficientface", model, "--back", "--out", back) == 0
    assert "418 entries" in capsys.readouterr().err
    again = torch.load(back, weights_only=True)
    assert again.keys() == state.keys() and all(again[n].equal(state[n]) for n in state)
    for words, expected in (
        (("efficientface", there, "heads=4"), "no option 'heads'; there are: classes"),
        (("avtca", there), "holds weights of efficientface, not of avtca"),
        (("efficientface", model, "--back", "classes=a,b"), "no meaning with --back"),
        (("efficientface", there, "--back"), "not a model file"),
    ):
        assert run("convert", *words, "--out", tmp_path / "no") == 2
        printed = capsys.readouterr().err
        assert expected in printed and printed.count("\n") == 1
        assert not (tmp_path / "no").exists()


def test_mistakes_end_with_one_line_and_exit_code_2(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, store = toy_recipe(toy), toy / "store"
    for words, expected in (
        (("train", recipe, "epocs=3", "--store", store, "--out", toy / "r"), "epocs"),
        (("train", "nothing", "--store", store, "--out", toy / "r"), "no such recipe"),
        (("train", recipe, "--store", toy / "no", "--out", toy / "r"), "is not a store"),
        (("train", recipe, "corpus=ravdess", "--store", store, "--out", toy / "r"), "folder"),
        (("train", recipe, "fold=x", "--store", store, "--out", toy / "r"), "fold=x"),
        (("evaluate", toy / "nowhere"), "is not a run"),
        (
            (
                "prepare",
                "ravdess",
                toy / "nowhere",
                "--store",
                toy / "s",
                "--streams",
                "audio/mfcc10",
            ),
            "nowhere",
        ),
        (("prepare", "folder", toy, "--store", toy / "s", "--streams", "audio/mfc"), "clips.csv"),
    ):
        assert run(*words) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and expected in lines[0], lines
    assert not (toy / "r").exists() and not (toy / "s").exists()


def test_words_that_no_verb_knows_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["list", "models", "surprise"])
    assert exit.value.code == 2 and "surprise" in capsys.readouterr().err


def test_folder_corpus_from_recordings_to_streams(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = shared_data / "videos"
    (tmp_path / "broken.mp4").write_text("x")
    rows = [f"{videos / name},joy" for name in ("bbaf2n.mpg", "single_face.mp4")]
    (tmp_path / "clips.csv").write_text("\n".join(["path,label", *rows, "broken.mp4,joy"]) + "\n")
    words = ["prepare", "folder", tmp_path, "--store", tmp_path / "s", "--workers", 1]
    assert run(*words, "--streams", "audio/mfcc10,video/faces48") == 2
    printed = capsys.readouterr().err
    assert "broken.mp4" in printed and "failures.csv" in printed
    from affuse.features.store import Store

    store = Store(Path(tmp_path / "s"))
    usable = store.usable(["audio/mfcc10", "video/faces48"])
    assert len(usable) == 2
    for clip in usable:
        assert store.stream("video/faces48")[clip.id].mask.mean() >= 0.95


@pytest.mark.parametrize("verb", RENAMED)
def test_an_earlier_verb_names_that_of_today(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "x", "--out", "y"]) == 2
    said = capsys.readouterr()
    assert said.err == f"affuse: {verb} is called {RENAMED[verb]} now\n" and not said.out
    assert verb not in VERBS and RENAMED[verb] in VERBS
