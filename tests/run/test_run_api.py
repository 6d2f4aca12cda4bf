"""The same job from a notebook: documented calls, typed results, the errors of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import corekit
from corekit import CorpusError, IncompleteRunError, LockedError, RunOptions, UsageError
from corekit.files import locked
from tests.run.kit import EPOCH, Lab, sha256


def options(lab: Lab, **more: object) -> RunOptions:
    out = lab.folder / "api" / "toy.parquet"
    return RunOptions(**{"corpus": "toy", "root": lab.root, "out": out, "backend": "toy", **more})  # type: ignore[arg-type]


def test_a_run_gives_the_table_of_the_command(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    assert lab.run().code == 0
    result = corekit.run(options(lab))
    assert result.complete and result.failures == ()
    assert result.counters["parquet_rows"] == 6
    assert sha256(result.table) == sha256(lab.out)
    table = corekit.read_table(result.table)
    assert table.manifest == corekit.read_manifest(result.manifest_path)
    assert table.manifest is not None and table.manifest.artefacts == result.manifest.artefacts
    assert table.data.num_rows == 6


def test_a_plan_says_what_a_run_would_do(lab: Lab) -> None:
    report = corekit.plan(options(lab))
    assert (report.rows, report.done, report.to_measure, report.missing) == (6, 0, 6, 0)
    assert report.backend == "toy" and report.estimate.sampled_clips > 0
    corekit.run(options(lab))
    report = corekit.plan(options(lab))
    assert (report.done, report.to_measure) == (6, 0)


def test_a_corpus_is_opened_and_iterated(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.clip("cat_1.y4m").unlink()
    corpus = corekit.open_corpus("toy", lab.root)
    assert len(corpus) == 8
    assert [clip.name for clip in corpus if not corpus.has(clip)] == ["cat_1.y4m"]
    clip = next(iter(corpus))
    assert (clip.name, clip.is_reference, clip.label.value) == ("cat_ref.y4m", True, 4.5)
    assert corpus.path(clip) == lab.clip("cat_ref.y4m")
    assert corpus.split(clip) == corekit.split_of("cat", "toy")
    monkeypatch.setenv("COREKIT_TOY_ROOT", str(lab.root))
    assert len(corekit.open_corpus("toy")) == 8
    monkeypatch.delenv("COREKIT_TOY_ROOT")
    with pytest.raises(UsageError, match=r"^where is Toy corpus\? give --root DIR or set COREKIT_TOY_ROOT"):
        corekit.open_corpus("toy")


def test_failures_are_results_and_their_excess_an_error(lab: Lab) -> None:
    lab.make_trouble(cat_1="error")
    settings = {"trouble": str(lab.trouble)}
    result = corekit.run(options(lab, settings=settings))
    assert not result.complete
    assert [failure.clip_name for failure in result.failures] == ["cat_1.y4m"]
    with pytest.raises(IncompleteRunError):
        corekit.run(options(lab, settings=settings, retry_failed=True, max_failures=0))


def test_errors_are_those_of_the_command(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        corekit.run(options(lab, root=tmp_path / "nowhere"))
    with pytest.raises(UsageError):
        corekit.run(options(lab, backend="no-such"))
    with locked(options(lab).table), pytest.raises(LockedError):
        corekit.run(options(lab))


def test_a_run_in_a_thread_leaves_signals_alone(lab: Lab) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(corekit.run, options(lab)).result().complete
