"""A replay makes the same again at another path, and names what is not the same."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corekit import EnrichOptions, PluginError, enrich
from corekit.driver.chain import Places
from corekit.driver.replay import ReplayOptions, ReplayReport, replay
from tests.provenance.chain import Chain


def again(path: Path, *, sample: int | None = None, **more: object) -> ReplayReport:
    return replay(ReplayOptions(path=path, sample=sample, workers=2, **more))  # type: ignore[arg-type]


def test_the_whole_chain_is_equal_in_a_second_checkout(chain: Chain) -> None:
    for path, files in (
        (chain.table, {"chug.parquet", "chug.frames.parquet"}),
        (chain.enriched, {"enriched.parquet"}),
        (chain.merged, {"merged.parquet"}),
        (chain.model, {"model.onnx", "model.safetensors", "card.md", "report.json", "report.html", "folds.json", "predictions.parquet"}),
    ):  # fmt: skip
        report = again(path)
        assert (report.result, report.reasons) == ("equal", []), path
        assert {one.file for one in report.artefacts} == files
        assert all(one.result == "equal" and not one.differences for one in report.artefacts)


def test_a_sample_is_drawn_by_the_run_and_attested(chain: Chain) -> None:
    one, two = again(chain.table, sample=3), again(chain.table, sample=3)
    assert one.sampled == two.sampled and one.sampled is not None and len(one.sampled) == 3
    assert one.result == "equal" and one.artefacts[0].rows == 3
    attested = json.loads(chain.table.with_name("chug.replay.json").read_text())
    assert attested["result"] == "equal" and attested["sampled"] == one.sampled
    assert attested["manifest"] == "chug.manifest.json"


def test_a_changed_pixel_is_named(chain: Chain) -> None:
    table = pq.read_table(chain.table).to_pylist()
    clip = chain.corpus / table[0]["src"]
    content = clip.read_bytes()
    with av.open(str(clip)) as opened:
        stream = opened.streams.video[0]
        width, height, rate = stream.width, stream.height, stream.average_rate
        frames = [frame.to_ndarray(format="yuv420p10le") for frame in opened.decode(video=0)]
    frames[0][height // 2, width // 2] ^= 64
    with av.open(str(clip), "w", format="mp4") as out:
        made = out.add_stream("libx265", rate=rate, options={"x265-params": "lossless=1:log-level=none"})
        made.width, made.height, made.pix_fmt = width, height, "yuv420p10le"
        for array in frames:
            for packet in made.encode(av.VideoFrame.from_ndarray(array, format="yuv420p10le")):
                out.mux(packet)
        for packet in made.encode():
            out.mux(packet)
    assert clip.read_bytes() != content
    report = again(chain.table)
    assert report.result == "different"
    found = {one.column: one for one in report.artefacts[0].differences}
    assert found["src_sha256"].rows == 1
    assert all(table[0]["clip_name"] in " ".join(one.clips) for one in found.values() if one.rows == 1)
    assert any(name.startswith(("adm", "vif")) for name in found), found.keys()


def test_a_changed_label_is_named(chain: Chain) -> None:
    labels = chain.corpus / "chug.csv"
    lines = labels.read_text().splitlines()
    cells = lines[4].split(",")
    cells[1] = "77.25"
    lines[4] = ",".join(cells)
    labels.write_text("\n".join(lines) + "\n")
    report = again(chain.table)
    assert report.result == "different"
    columns = {one.column for one in report.artefacts[0].differences}
    assert {"mos", "mos_native", "mos_raw_0_100"} <= columns
    assert any(one.made_again == "77.25" for one in report.artefacts[0].differences)


def test_a_changed_option_is_named(chain: Chain) -> None:
    text = chain.manifest.read_text()
    chain.manifest.write_text(text.replace('"split_seed": null', '"split_seed": "other"'))
    report = again(chain.table)
    assert report.result == "different"
    assert "split" in {one.column for one in report.artefacts[0].differences}


def test_a_changed_cell_of_the_table_is_named(chain: Chain) -> None:
    data = pq.read_table(chain.table)
    values = data.column("adm2_mean").to_pylist()
    values[5] += 0.001
    index = data.column_names.index("adm2_mean")
    pq.write_table(data.set_column(index, data.schema.field(index), pa.array(values)), chain.table)
    report = again(chain.table)
    table = report.artefacts[0]
    assert (report.result, table.detail) == (
        "different",
        "the recorded file is not the one that its manifest speaks of",
    )
    (difference,) = table.differences
    assert (difference.column, difference.rows) == ("adm2_mean", 1)
    assert difference.largest == pytest.approx(0.001) and difference.tolerance == 1e-9


def test_another_backend_is_held_to_its_tolerance(chain: Chain) -> None:
    report = again(chain.table, sample=2, backend="libvmaf")
    assert report.result == "within tolerance"
    columns = {one.column: one for one in report.artefacts[0].differences}
    assert columns and all(one.tolerance == 1e-4 and one.within for one in columns.values())


def test_a_backend_that_is_not_there(chain: Chain) -> None:
    with pytest.raises(PluginError, match="no backend is called 'nope'; installed: cpu, cuda, libvmaf"):
        again(chain.table, backend="nope")


def test_a_missing_clip_is_accounted_for(chain: Chain) -> None:
    name = pq.read_table(chain.table).column("clip_name")[2].as_py()
    (chain.corpus / "CHUG_Videos" / name).unlink()
    report = again(chain.table)
    assert (
        report.reasons[0]
        == f"1 clips are not there, the first: {{corpus}}/CHUG_Videos/{name}; their rows are not made again"
    )
    assert report.result == "not replayable", "rows that were not made again say nothing"
    assert any(name in row for row in report.artefacts[0].missing_rows)


def test_a_corpus_that_is_gone_cannot_be_replayed(chain: Chain, tmp_path: Path) -> None:
    chain.corpus.rename(tmp_path / "corpus")
    report = again(chain.table)
    assert (report.result, report.reasons) == ("not replayable", ["the corpus is not found; give --root corpus=DIR"])
    assert again(chain.table, places=Places(roots={"corpus": tmp_path / "corpus"})).result == "equal"


def test_a_changed_parent_stops_a_replay_until_it_is_found(chain: Chain, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    content = chain.enriched.read_bytes()
    (kept / "copy.parquet").write_bytes(content)
    chain.enriched.write_bytes(content[:-1] + b"x")
    report = again(chain.merged)
    assert report.reasons == [
        f"its input {chain.enriched} was changed; put it back, or give --search DIR to find it by its digest"
    ]
    assert again(chain.merged, places=Places(search=(kept,))).result == "equal"


def test_an_enrichment_in_place_is_replayed_from_the_run_before(chain: Chain) -> None:
    enrich(EnrichOptions(table=chain.table, metadata=chain.folder / "notes.csv", keys=("x_note",)))
    report = again(chain.table)
    assert (report.command, report.result, report.reasons) == ("enrich", "equal", [])


def test_another_seed_makes_another_model(chain: Chain) -> None:
    path = chain.model / "model.manifest.json"
    path.write_text(path.read_text().replace('"model": "ridge"', '"model": "svr"'))
    report = again(chain.model)
    results = {one.file: one.result for one in report.artefacts}
    assert report.result == "different" and results["model.onnx"] == "different"
    predictions = next(one for one in report.artefacts if one.file == "predictions.parquet")
    assert {one.column for one in predictions.differences} >= {"predicted"}
