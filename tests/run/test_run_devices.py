"""Backends that hold devices: a worker for each, several contents at once in it; devices that are lost; the fallback."""

from __future__ import annotations

import time

import pytest

from tests.run.kit import EPOCH, Lab, sha256, video

ALL = ["cat_1.y4m", "cat_2.y4m", "cat_3.y4m", "dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]
ONE, TWO = ("--set", "devices=toy:0"), ("--set", "devices=toy:0 toy:1")
SHARED = ("--set", "devices=toy:0 toy:0 toy:0")
"""One device with three processes."""
FALLBACK = ("--fallback", "spare")


def backends(lab: Lab) -> dict[str, str]:
    return {name: row["feature_backend"] for name, row in lab.table().items()}


def add_contents(lab: Lab, count: int) -> list[str]:
    """More contents of one clip each."""
    names = []
    for index in range(count):
        content = f"more{index}"
        lab.add(f"{content}_ref.y4m", content, ref="1", rung="ref", frames=video(seed=content))
        lab.add(f"{content}_1.y4m", content, rung="1", frames=video(seed=content, noise=8))
        names.append(f"{content}_1.y4m")
    lab.write_labels()
    return names


@pytest.mark.parametrize("devices", [ONE, TWO, SHARED], ids=["one device", "two devices", "a shared device"])
@pytest.mark.parametrize("workers", ["1", "2", "5"])
def test_the_table_is_that_of_processes(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, devices: tuple[str, str], workers: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    names = sorted(ALL + add_contents(lab, 4))
    calm = lab.out.with_name("calm.parquet")
    assert lab.run(out=calm).code == 0
    assert lab.run(*devices, "--workers", workers).code == 0
    assert sorted(lab.table()) == names and lab.measured() == names
    assert sha256(lab.out) == sha256(calm)


def test_every_device_has_one_worker_with_its_share_of_threads(lab: Lab) -> None:
    names = add_contents(lab, 4)
    lab.make_trouble(**{name.removesuffix(".y4m"): "pid" for name in [*names, *ALL]})
    assert lab.run(*TWO, "--workers", "3").code == 0
    seen = {tuple(line.split()) for line in (lab.folder / "trouble.pids").read_text().splitlines()}
    by_process: dict[str, set[str]] = {}
    for process, thread, device in seen:
        by_process.setdefault(f"{process} {device}", set()).add(thread)
    assert sorted(name.split()[1] for name in by_process) == ["toy:0", "toy:1"]
    assert sorted(len(threads) for threads in by_process.values()) == [1, 2]


def test_processes_of_one_device_share_the_threads(lab: Lab) -> None:
    names = add_contents(lab, 4)
    lab.make_trouble(**{name.removesuffix(".y4m"): "pid" for name in [*names, *ALL]})
    assert lab.run(*SHARED, "--workers", "4").code == 0
    seen = {tuple(line.split()) for line in (lab.folder / "trouble.pids").read_text().splitlines()}
    assert {device for _, _, device in seen} == {"toy:0"} and len({process for process, _, _ in seen}) == 3


@pytest.mark.parametrize("kind", ["abort", "kill", "exit", "raise", "error", "lost"])
def test_the_guilty_clip_fails_alone_beside_others(lab: Lab, kind: str) -> None:
    names = add_contents(lab, 4)
    lab.make_trouble(cat_2=kind)
    assert lab.run(*ONE, "--workers", "4").code == 4
    assert list(lab.failures()) == ["cat_2.y4m"]
    assert sorted(lab.table()) == sorted(name for name in ALL + names if name != "cat_2.y4m")


def test_one_job_that_hangs_is_told_from_those_that_go_on(lab: Lab) -> None:
    names = add_contents(lab, 2)
    lab.make_trouble(cat_2="hang")
    begun = time.monotonic()
    assert lab.run(*ONE, "--workers", "3", "--timeout", "2").code == 4
    assert time.monotonic() - begun < 25
    assert list(lab.failures()) == ["cat_2.y4m"]
    assert lab.failures()["cat_2.y4m"]["message"] == "no progress for 2 s (--timeout); the worker was stopped"
    assert sorted(lab.table()) == sorted(name for name in ALL + names if name != "cat_2.y4m")


def test_a_lost_device_marks_its_clip_where_nothing_takes_its_place(lab: Lab) -> None:
    lab.make_trouble(cat_2="lost")
    assert lab.run().code == 4
    assert lab.failures()["cat_2.y4m"]["message"] == "the toy fell off the table"


@pytest.mark.parametrize("devices", [(), ONE, TWO], ids=["processes", "one device", "two devices"])
def test_the_fallback_goes_on_where_a_device_is_lost(lab: Lab, devices: tuple[str, ...]) -> None:
    lab.make_trouble(cat_2="lost")
    outcome = lab.run(*devices, *FALLBACK, "--workers", "2", "--log", "plain")
    assert outcome.code == 0
    assert "going on with spare: the toy fell off the table" in outcome.err
    assert list(lab.table()) == ALL and backends(lab)["cat_2.y4m"] == "spare"
    assert lab.run(*devices, *FALLBACK).code == 0 and lab.measured() == []


def test_the_fallback_goes_on_where_the_backend_cannot_start(lab: Lab) -> None:
    """In a worker, though it started in the run itself."""
    for trouble in ("* unusable", "* stillborn"):
        lab.trouble.write_text(f"{trouble}\n")
        out = lab.out.with_name(f"{trouble[2:]}.parquet")
        outcome = lab.run(*FALLBACK, "--workers", "2", "--log", "plain", out=out)
        assert outcome.code == 0
        assert {row["feature_backend"] for row in lab.table(out).values()} == {"spare"}
        assert "going on with spare" in outcome.err


def test_a_backend_that_is_not_usable_at_all_is_passed_over(lab: Lab) -> None:
    lab.trouble.write_text("* never\n")
    assert lab.run().sentence == "there is no toy shop; build one"
    outcome = lab.run(*FALLBACK, "--log", "plain", "--device", "toy:1")
    assert outcome.code == 0
    assert "toy: there is no toy shop; build one; using spare" in outcome.err
    assert set(backends(lab).values()) == {"spare"} and lab.manifest().backend.name == "spare"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--fallback", "toy"), "--fallback toy: this is the backend itself; name another, or leave it out"),
        (
            ("--fallback", "libvmaf"),
            "--fallback libvmaf: its numbers (libvmaf) are not those of toy (toy), and one table must not mix them; leave it out",
        ),
        (
            ("--decode", "nvdec"),
            "--decode nvdec: backend toy takes no frames from a GPU here; give --backend cuda on a GPU, or leave --decode out",
        ),
    ],
)
def test_what_cannot_be_is_refused(lab: Lab, arguments: tuple[str, ...], sentence: str) -> None:
    outcome = lab.run(*arguments)
    assert (outcome.code, outcome.sentence) == (2, sentence)


def test_decode_auto_is_the_cpu_where_there_is_no_gpu(lab: Lab) -> None:
    assert lab.run("--decode", "auto").code == 0 and list(lab.table()) == ALL
