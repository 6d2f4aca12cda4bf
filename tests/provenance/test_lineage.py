"""The graph from a model to the clips."""

from __future__ import annotations

from corekit.driver.chain import Places
from corekit.driver.lineage import Node, lineage
from tests.command import corekit
from tests.provenance.chain import Chain


def steps(node: Node) -> list[str]:
    return [node.what, *(steps(node.made_from[0]) if node.made_from else [])]


def test_from_the_model_to_the_clips(chain: Chain) -> None:
    root = lineage(chain.model, Places())
    assert (root.name, steps(root)) == ("model.onnx", ["train", "merge", "enrich", "run", "labels"])
    run = root.made_from[0].made_from[0].made_from[0]
    assert [child.what for child in run.made_from] == ["labels", "clips"]
    assert run.made_from[1].name == "28 files"


def test_a_lost_manifest_is_said(chain: Chain) -> None:
    chain.manifest.unlink()
    root = lineage(chain.enriched, Places())
    assert (root.made_from[0].what, root.made_from[0].detail) == ("file", "its manifest is not found")


def test_the_tree_on_the_terminal(chain: Chain) -> None:
    done = corekit("lineage", chain.merged)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].startswith("merge: merged.parquet  ")
    assert lines[1].startswith("└── enrich: enriched.parquet  ")
    assert [line.partition(":")[0].strip("└├─│ ") for line in lines] == [
        "merge", "enrich", "run", "labels", "clips", "metadata",
    ]  # fmt: skip
