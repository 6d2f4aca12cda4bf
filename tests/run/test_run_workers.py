"""Workers that die, hang or lie: replaced, the guilty clip marked with the cause, every other row kept; nothing hangs."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.run.kit import EPOCH, MARK, Lab, all_gone, kill, sha256, start, video, wait_for

ALL = ["cat_1.y4m", "cat_2.y4m", "cat_3.y4m", "dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]
BUT_CAT_2 = [name for name in ALL if name != "cat_2.y4m"]


@pytest.mark.parametrize(
    ("kind", "stage", "message"),
    [
        ("abort", "worker", "the worker was killed by SIGABRT (toy assertion failed)"),
        ("kill", "worker", "the worker was killed by SIGKILL; out of memory?"),
        ("exit", "worker", "the worker ended with code 7"),
        ("realtime-signal", "worker", "the worker was killed by signal 37"),
        (
            "raise",
            "worker",
            "RuntimeError: a spring broke; report this as a bug of corekit or of the backend",
        ),
        ("pipe", "worker", "BrokenPipeError: a pipe; report this as a bug of corekit or of the backend"),
        ("clip-error", "compare", "the toy stalled; wind it up"),
        ("error", "compare", "the toy dislikes it; wind it up"),
        (
            "short",
            "compare",
            "backend toy gave float64 of shape (2,) as motion2 of 3 frames, not float64 of shape (3,); "
            "report it to its authors",
        ),
        (
            "text",
            "compare",
            "backend toy gave <U1 of shape (3,) as motion2 of 3 frames, not float64 of shape (3,); "
            "report it to its authors",
        ),
    ],
)
def test_the_guilty_clip_fails_alone(lab: Lab, kind: str, stage: str, message: str) -> None:
    lab.make_trouble(cat_2=kind)
    outcome = lab.run()
    assert outcome.code == 4
    assert list(lab.table()) == BUT_CAT_2
    failures = lab.failures()
    assert list(failures) == ["cat_2.y4m"]
    assert (failures["cat_2.y4m"]["stage"], failures["cat_2.y4m"]["message"]) == (stage, message)
    assert lab.run().code == 4 and lab.measured() == []


@pytest.mark.parametrize("kind", ["hang", "stop"])
def test_a_worker_that_hangs_is_stopped(lab: Lab, kind: str) -> None:
    lab.make_trouble(cat_2=kind)
    begun = time.monotonic()
    assert lab.run("--timeout", "2").code == 4
    assert time.monotonic() - begun < 20
    assert list(lab.table()) == BUT_CAT_2
    message = "no progress for 2 s (--timeout); the worker was stopped"
    assert lab.failures()["cat_2.y4m"]["message"] == message


def test_a_slow_worker_that_goes_on_is_left_alone(lab: Lab) -> None:
    lab.clip("cat_ref.y4m").write_bytes(video(seed="cat", frames=20))
    for step in (1, 2, 3):
        lab.clip(f"cat_{step}.y4m").write_bytes(video(seed="cat", noise=step, frames=20))
    lab.make_trouble(cat_2="slow")
    assert lab.run("--timeout", "2").code == 0


@pytest.mark.parametrize("end", ["by itself", "killed"])
def test_what_a_backend_leaves_running_ends_with_the_run(lab: Lab, end: str) -> None:
    lab.make_trouble(cat_2="leak", dog_1="hang" if end == "killed" else "none")
    mark = uuid.uuid4().hex
    process = start(lab.arguments(), {MARK: mark})
    assert wait_for(lambda: "cat_2.y4m" in lab.measured())
    if end == "killed":
        kill(process)
    else:
        assert process.wait(timeout=20) == 0
        process.communicate()
    assert all_gone(mark)


def test_what_an_idle_worker_left_running_ends_with_a_killed_run(lab: Lab) -> None:
    """The worker learns of the death from its socket before its watch does."""
    lab.make_trouble(**dict.fromkeys(["cat_1", "cat_2", "cat_3"], "leak"), dog_1="hang")
    mark = uuid.uuid4().hex
    process = start(lab.arguments("--workers", "2"), {MARK: mark})
    assert wait_for(lambda: len(lab.measured()) == 3)
    time.sleep(0.3)
    kill(process)
    assert all_gone(mark)


def test_several_guilty_clips_in_several_workers(lab: Lab) -> None:
    lab.make_trouble(cat_1="abort", cat_3="kill", dog_1="exit", dog_2="raise")
    assert lab.run("--workers", "2").code == 4
    assert list(lab.table()) == ["cat_2.y4m", "dog_3.y4m"]
    assert list(lab.failures()) == ["cat_1.y4m", "cat_3.y4m", "dog_1.y4m", "dog_2.y4m"]
    lab.trouble.unlink()
    assert lab.run("--retry-failed").code == 0
    assert list(lab.table()) == ALL


def test_trouble_on_the_way_leaves_no_trace_in_the_table(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    calm = lab.out.with_name("calm.parquet")
    assert lab.run(out=calm).code == 0
    lab.make_trouble(cat_2="abort", dog_1="raise")
    assert lab.run().code == 4
    lab.trouble.unlink()
    assert lab.run("--retry-failed").code == 0
    assert sha256(lab.out) == sha256(calm)


def test_a_backend_that_cannot_start_in_workers_is_an_error_of_use(lab: Lab) -> None:
    lab.trouble.write_text("* unusable\n")
    outcome = lab.run()
    assert (outcome.code, outcome.sentence) == (2, "the toy has no batteries; buy some")


def test_workers_that_are_stillborn_end_the_run(lab: Lab) -> None:
    lab.trouble.write_text("* stillborn\n")
    outcome = lab.run("--workers", "2")
    assert outcome.code == 2
    assert outcome.sentence == "4 workers ended before they could start: the worker ended with code 9 (no spark)"


def test_a_feature_that_is_never_finite_is_null_with_its_reason(lab: Lab) -> None:
    lab.make_trouble(cat_2="nan")
    assert lab.run().code == 0
    row = lab.table()["cat_2.y4m"]
    assert (row["psnr_y_mean"], row["psnr_y_p90"], row["motion2_mean"]) == (None, None, None)
    reasons = {null.reason: null.rows for null in lab.manifest().nulls["psnr_y"]}
    assert reasons == {"no frame has a finite value": 1}


def test_infinite_frames_are_left_out_of_the_pooling(lab: Lab) -> None:
    lab.run()
    whole = lab.table()["cat_2.y4m"]["psnr_y_mean"]
    lab.make_trouble(cat_2="inf")
    other = lab.out.with_name("other.parquet")
    assert lab.run(out=other).code == 0
    pooled = lab.table(other)["cat_2.y4m"]["psnr_y_mean"]
    assert pooled != whole and abs(pooled - whole) < 3


def test_a_backend_that_forgets_a_feature_leaves_a_reason(lab: Lab) -> None:
    lab.make_trouble(cat_2="nothing")
    assert lab.run().code == 0
    assert lab.table()["cat_2.y4m"]["psnr_y_mean"] is None
    assert [null.reason for null in lab.manifest().nulls["psnr_y"]] == ["backend toy gave no value"]


def test_a_feature_that_the_backend_lacks_is_null_with_its_reason(lab: Lab) -> None:
    assert lab.run("--features", "psnr_y,cambi,ssimulacra2").code == 0
    nulls = lab.manifest().nulls
    assert [(null.reason, null.rows) for null in nulls["ssimulacra2"]] == [("a toy has no ssimulacra2", 6)]
    assert [(null.reason, null.rows) for null in nulls["adm2"]] == [("not asked for (--features)", 6)]


def test_a_plugin_whose_columns_differ_between_clips_is_named(lab: Lab) -> None:
    lab.row("dog_2.y4m")["tag"] = "another-column"
    lab.write_labels()
    outcome = lab.run()
    assert outcome.code == 2
    assert outcome.sentence == (
        "corekit_shape_row of corekit-toy 1.0 returned other columns for dog_2.y4m than for the clips before; "
        "it must return the same for every clip, with None where there is no value"
    )
    assert not lab.out.exists() and lab.stray() == []


def test_workers_import_nothing_from_the_working_folder(lab: Lab) -> None:
    trap = lab.folder / "trap"
    trap.mkdir()
    for module in ("msgspec", "numpy", "av", "corekit"):
        (trap / f"{module}.py").write_text("raise SystemExit('trapped')\n")
    code = "from corekit.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *lab.arguments()], cwd=trap, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lab.table()) == 6


def test_workers_find_what_the_run_finds(lab: Lab, toy_distribution: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    assert str(toy_distribution) in sys.path
    assert lab.run().code == 0
