"""One run's composition: what it asks of its plugins, and whom it names when one breaks the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from corekit import open_corpus
from corekit.backends.base import DeviceLost, Extractor
from corekit.cli.main import main
from corekit.errors import BackendError, ClipError, PluginError, UsageError
from corekit.model import Clip, Label, Measurement, NoOptions, Pooled, Probe
from corekit.plugins.catalogue import list_corpora, list_plugins
from corekit.plugins.composition import Composition, parse_options, route_settings
from corekit.plugins.hookspecs import RowContext
from corekit.schema import CORE_COLUMNS
from tests.plugins.distributions import GOOD_BACKEND, GOOD_CORPUS, Site

CLIP = Clip(name="a.mp4", path="a.mp4", content="a", label=Label(kind="mos", value=5.0))
PROBE = Probe(
    width=16, height=16, pix_fmt="yuv420p", bit_depth=8, codec="h264", framerate="25/1", duration_s=1.0, n_frames=25
)
MEASUREMENT = Measurement(
    clip_sha256="0" * 64,
    ref_sha256=None,
    probe=PROBE,
    ref_probe=None,
    frames_dis=25,
    frames_ref=25,
    n_frames=25,
    pooled={},
    nulls={},
    options={},
    backend="fake",
    versions={},
    seconds=1.25,
)

_EXTENSION = """
from corekit import Column, ManifestSection, hookimpl
COREKIT_API = 1
def column(name, type="int", **more):
    return Column(name=name, type=type, description="", **more)
@hookimpl
"""


def composed() -> Composition:
    composition = Composition()
    composition.add_corpus("farm")
    assert composition.add_extensions() == []
    return composition


def shape(composition: Composition, clip: Clip = CLIP) -> dict[str, Any]:
    assert composition.info is not None
    row = RowContext(
        run_id="r",
        timestamp="2026-01-01T00:00:00+00:00",
        info=composition.info,
        reference=None,
        pairing="nr",
        split="train",
        split_policy="p",
        measurement=MEASUREMENT,
        timings=True,
    )
    pooled = {"vmaf": Pooled(90.0, 1.0, 80.0, 95.0, 25)}
    return {column.name: value for column, value in composition.shape_row(clip, PROBE, pooled, row).items()}


def refused(site: Site, body: str) -> str:
    """The error of shaping a row with extension ``ext`` of dist-ext 1.0."""
    site.add_corpus("farm", GOOD_CORPUS)
    site.add_extension("ext", _EXTENSION + body)
    with pytest.raises(PluginError) as caught:
        shape(composed())
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_columns_come_from_core_then_the_corpus_then_extensions_by_name(site: Site) -> None:
    site.add_extension("zeta", _EXTENSION + "def corekit_shape_row():\n return {column('x_zeta_one'): 1}")
    site.add_extension("beta", _EXTENSION + "def corekit_shape_row(probe):\n return {column('x_beta_w'): probe.width}")
    site.add_corpus("farm", GOOD_CORPUS)
    row = shape(composed())
    names = list(row)
    assert names == [c.name for c in CORE_COLUMNS] + ["farm_grade", "x_beta_w", "x_zeta_one"]
    assert (row["farm_grade"], row["x_beta_w"], row["x_zeta_one"]) == (5, 16, 1)
    assert (row["mos"], row["mos_native"], row["mos_scale_max"]) == (3.0, 5.0, 10.0)
    assert (row["vmaf_score"], row["vmaf_p10"], row["vmaf_model"]) == (90.0, 80.0, "vmaf_v0.6.1")
    assert (row["score_time_ms"], row["framerate"], row["split"]) == (1250, 25.0, "train")


def test_a_column_claimed_twice_names_both_distributions(site: Site) -> None:
    site.add_corpus("farm", GOOD_CORPUS.replace("Column(name=\"farm_grade\"", "Column(name=\"x_ext_grade\"").replace(
        '("grade_text",)', '("x_ext_grade",)'))  # fmt: skip
    site.add_extension("ext", _EXTENSION + "def corekit_shape_row():\n return {column('x_ext_grade'): 1}")
    with pytest.raises(PluginError) as caught:
        shape(composed())
    assert str(caught.value) == (
        "column 'x_ext_grade' is claimed by dist-farm and dist-ext; one must rename it, or be switched off with --disable"
    )


def test_a_column_of_core_cannot_be_claimed(site: Site) -> None:
    assert refused(site, "def corekit_shape_row():\n return {column('vmaf_score', 'float'): 1.0}") == (
        "column 'vmaf_score' is claimed by corekit and dist-ext; one must rename it, or be switched off with --disable"
    )


def test_a_column_without_the_plugins_prefix(site: Site) -> None:
    message = refused(site, "def corekit_shape_row():\n return {column('farm_other'): 1}")
    assert message == "column 'farm_other' of dist-ext 1.0 must begin with 'x_ext_'"


def test_a_corpus_may_use_its_prefix_and_its_metadata_keys_alone(site: Site) -> None:
    source = GOOD_CORPUS.replace(
        "{GRADE: len(clip.name)}", "{Column(name=clip.content, type='int', description=''): 1}"
    )
    site.add_corpus("farm", source)
    for name in ("farm_any", "grade_text"):
        assert shape(composed(), Clip(name="a", path="a", content=name, label=CLIP.label))[name] == 1
    with pytest.raises(PluginError) as caught:
        shape(composed(), Clip(name="a", path="a", content="grade", label=CLIP.label))
    assert str(caught.value) == "column 'grade' of dist-farm 1.0 must begin with 'farm_'"


@pytest.mark.parametrize(
    ("type_", "value", "said"),
    [
        ("int", "'1'", "'1'"),
        ("int", "1.0", "1.0"),
        ("int", "True", "True"),
        ("int", "2**63", "9223372036854775808"),
        ("float", "True", "True"),
        ("float", "'nan'", "'nan'"),
        ("bool", "1", "1"),
        ("str", "b'x'", "b'x'"),
        ("str", "1", "1"),
    ],
)
def test_a_value_of_another_type(site: Site, type_: str, value: str, said: str) -> None:
    message = refused(site, f"def corekit_shape_row():\n return {{column('x_ext_a', {type_!r}): {value}}}")
    assert message == f"column 'x_ext_a' of dist-ext 1.0 is declared {type_} but got {said}"


def test_a_required_column_without_a_value(site: Site) -> None:
    message = refused(site, "def corekit_shape_row():\n return {column('x_ext_a', required=True): None}")
    assert message == "column 'x_ext_a' of dist-ext 1.0 is declared int but got None"


@pytest.mark.parametrize(
    ("type_", "value"), [("float", "1"), ("float", "float('nan')"), ("int", "-2**63"), ("bool", "False"), ("str", "''")]
)
def test_values_that_fit(site: Site, type_: str, value: str) -> None:
    site.add_corpus("farm", GOOD_CORPUS)
    body = f"def corekit_shape_row():\n return {{column('x_ext_a', {type_!r}): {value}, column('x_ext_b'): None}}"
    site.add_extension("ext", _EXTENSION + body)
    assert shape(composed())["x_ext_b"] is None


def test_columns_must_be_the_same_for_every_clip(site: Site) -> None:
    site.add_corpus("farm", GOOD_CORPUS)
    body = "def corekit_shape_row(clip):\n return {column('x_ext_a'): 1} if clip.name == 'a.mp4' else {}"
    site.add_extension("ext", _EXTENSION + body)
    composition = composed()
    shape(composition)
    with pytest.raises(PluginError) as caught:
        shape(composition, Clip(name="b.mp4", path="b.mp4", content="b", label=CLIP.label))
    assert str(caught.value) == (
        "corekit_shape_row of dist-ext 1.0 returned other columns for b.mp4 than for the clips before; "
        "it must return the same for every clip, with None where there is no value"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {'x_ext_a': 1}", "corekit_shape_row of dist-ext 1.0 returned a key that is not a Column: 'x_ext_a'"),
        ("return None", "corekit_shape_row of dist-ext returned NoneType, not a mapping of Column to value"),
        ("return [1]", "corekit_shape_row of dist-ext returned list, not a mapping of Column to value"),
        (
            "raise KeyError('k')",
            "corekit_shape_row for a.mp4 of dist-ext 1.0 failed with KeyError: 'k'; report it to dist-ext 1.0",
        ),
        (
            "raise SystemExit(0)",
            "corekit_shape_row for a.mp4 of dist-ext 1.0 failed with SystemExit: 0; report it to dist-ext 1.0",
        ),
    ],
)
def test_a_shape_row_that_breaks_its_contract(site: Site, body: str, message: str) -> None:
    assert refused(site, f"def corekit_shape_row():\n {body}") == message


def test_a_broken_extension_is_reported_and_left_out(site: Site) -> None:
    site.add_corpus("farm", GOOD_CORPUS)
    site.add_extension("bad", "import nowhere_at_all")
    site.add_extension("off", "raise AssertionError('imported')")
    composition = Composition(["off"])
    composition.add_corpus("farm")
    assert [(s.name, s.state) for s in composition.add_extensions()] == [("bad", "broken")]
    assert [status.name for status in composition.plugins] == ["farm"]


def test_manifest_sections_in_the_order_of_columns(site: Site) -> None:
    hook = "def corekit_write_manifest(run):\n return ManifestSection({name!r}, {{'info': run}})"
    site.add_extension("b", _EXTENSION + hook.format(name="second"))
    site.add_extension("a", _EXTENSION + hook.format(name="first"))
    site.add_corpus("farm", GOOD_CORPUS)
    sections = composed().manifest_sections("the run")  # type: ignore[arg-type]
    assert [(section.name, section.content) for section in sections] == [
        ("first", {"info": "the run"}),
        ("second", {"info": "the run"}),
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {}", "corekit_write_manifest of dist-ext returned dict, not ManifestSection"),
        ("raise OSError('no')", "corekit_write_manifest of dist-ext 1.0 failed with OSError: no; report it to dist-ext 1.0"),
        ("raise SystemExit(0)", "corekit_write_manifest of dist-ext 1.0 failed with SystemExit: 0; report it to dist-ext 1.0"),
        ("return ManifestSection('ok', {})", "dist-ext writes manifest section 'ok', which is taken"),
    ],
)  # fmt: skip
def test_a_manifest_hook_that_breaks_its_contract(site: Site, body: str, message: str) -> None:
    site.add_corpus("farm", GOOD_CORPUS)
    site.add_extension(
        "early", _EXTENSION + "def corekit_write_manifest():\n return ManifestSection('ok', {})", distribution="early"
    )
    site.add_extension("ext", _EXTENSION + f"def corekit_write_manifest():\n {body}")
    with pytest.raises(PluginError) as caught:
        composed().manifest_sections(None)  # type: ignore[arg-type]
    assert str(caught.value) == message


_API = "COREKIT_API = 1\nfrom corekit import hookimpl\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {'name': 'bad'}", "the corpus 'bad' of dist-bad 1.0 is broken: corekit_corpus returned dict, not CorpusInfo"),
        ("pass", "the corpus 'bad' of dist-bad 1.0 is broken: corekit_corpus returned NoneType, not CorpusInfo"),
        ("raise OSError('gone')", "corekit_corpus of dist-bad 1.0 failed with OSError: gone; report it to dist-bad 1.0"),
        ("raise SystemExit(0)", "corekit_corpus of dist-bad 1.0 failed with SystemExit: 0; report it to dist-bad 1.0"),
    ],
)  # fmt: skip
def test_a_corpus_that_cannot_describe_itself(site: Site, body: str, message: str) -> None:
    site.add_corpus("bad", f"{_API}@hookimpl\ndef corekit_corpus():\n {body}\n")
    site.add_corpus("farm", GOOD_CORPUS)
    with pytest.raises(PluginError) as caught:
        Composition().add_corpus("bad")
    assert str(caught.value) == message
    reason = message.rpartition(" is broken: ")[2]
    assert [(each.state, each.reason) for each in list_plugins() if each.name == "bad"] == [("broken", reason)]
    listed = {summary.name: summary.broken for summary in list_corpora()}
    assert (listed["farm"], listed["bad"]) == ("", reason)


def test_a_listing_prints_what_is_broken_with_its_reason(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.add_corpus("alias", GOOD_CORPUS.replace("    return INFO", "    print('noise')\n    return INFO"))
    site.add_backend("flat", GOOD_BACKEND.replace('name="flat"', 'name="other"'))
    reason = "its entry point is called 'alias' but its CorpusInfo says 'farm'"
    for command, words in (("plugins", ["broken", reason]), ("corpora", ["cannot be used:", reason])):
        with pytest.raises(SystemExit, match="0"):
            main([command])
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "alias" in line]
        assert " ".join(line.split()).endswith(" ".join(words))
        with pytest.raises(SystemExit, match="0"):
            main([command, "--json"])
        assert json.loads(capsys.readouterr().out)
    (flat,) = [status for status in list_plugins() if status.name == "flat"]
    assert flat.reason == "its entry point is called 'flat' but its BackendInfo says 'other'"


def test_a_name_that_two_claim_is_listed_once_among_the_corpora(site: Site) -> None:
    for distribution in ("twins-one", "twins-two"):
        site.add_corpus("twin", GOOD_CORPUS, distribution=distribution)
    assert [summary.broken for summary in list_corpora() if summary.name == "twin"] == [
        "the name is claimed by 'twins-one' and 'twins-two'; uninstall all but one"
    ]


def test_a_corpus_must_bear_the_name_of_its_entry_point(site: Site) -> None:
    site.add_corpus("alias", GOOD_CORPUS)
    with pytest.raises(PluginError) as caught:
        Composition().add_corpus("alias")
    assert str(caught.value) == (
        "the corpus 'alias' of dist-alias 1.0 is broken: its entry point is called 'alias' but its CorpusInfo says 'farm'"
    )


def read(site: Site, body: str, root: Path) -> list[Clip]:
    head, _, tail = GOOD_CORPUS.partition("@hookimpl\ndef corekit_read_corpus(root):")
    rest = tail.partition("@hookimpl")[2]
    site.add_corpus("farm", f"{head}@hookimpl\ndef corekit_read_corpus(root, options):\n {body}\n@hookimpl{rest}")
    composition = Composition()
    composition.add_corpus("farm")
    return list(composition.read_corpus(root, NoOptions()))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("yield 'a.mp4'", "corekit_read_corpus of dist-farm yielded str, not Clip"),
        ("return 3", "corekit_read_corpus of dist-farm 1.0 failed with TypeError: 'int' object is not iterable; report it to dist-farm 1.0"),
        ("raise UnicodeError('late')\n yield", "corekit_read_corpus of dist-farm 1.0 failed with UnicodeError: late; report it to dist-farm 1.0"),
        ("raise SystemExit(0)\n yield", "corekit_read_corpus of dist-farm 1.0 failed with SystemExit: 0; report it to dist-farm 1.0"),
    ],
)  # fmt: skip
def test_a_reader_that_breaks_its_contract(site: Site, tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        read(site, body, tmp_path)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("label=Label(kind='mos', value='3.0')", "label.value = '3.0' (expected `float | null`, got `str`)"),
        ("label=Label(kind='mos', value=True)", "label.value = True (expected `float | null`, got `bool`)"),
        ("label=Label(kind='MOS', value=3.0)", "label.kind = 'MOS' (invalid enum value 'MOS')"),
        ("label=Label(kind='mos', n_ratings=np.int64(9))", "label.n_ratings = np.int64(9) (got `numpy.int64`)"),
        ("label=None", "label = None (expected `object`, got `null`)"),
        ("split='validation'", "split = 'validation' (invalid enum value 'validation')"),
        ("is_reference=np.True_", "is_reference = np.True_ (got `numpy.bool`)"),
        ("extra={'grade': [1, 2]}", "extra = {'grade': [1, 2]} (expected `bool | int | float | str | null`, got `array` - at `$[...]`)"),
        ("origin=7", "origin = 7 (expected `str`, got `int`)"),
    ],
)  # fmt: skip
def test_a_clip_with_a_field_of_another_type(site: Site, tmp_path: Path, field: str, said: str) -> None:
    good = "name='a.mp4', path='a.mp4', content='a', label=Label(kind='mos', value=3.0)"
    body = f"import numpy as np\n yield Clip(**(dict({good}) | dict({field})))"
    with pytest.raises(PluginError) as caught:
        read(site, body, tmp_path)
    assert str(caught.value) == (
        f"corekit_read_corpus of dist-farm 1.0 yielded a.mp4 with {said}; it must yield Clips as corekit.Clip declares them"
    )
    assert caught.value.exit_code == 2


def test_numbers_of_numpy_and_whole_numbers_become_floats(site: Site, tmp_path: Path) -> None:
    label = "Label(kind='mos', value=np.float64(3.1), std_dev=1)"
    body = (
        f"import numpy as np\n yield Clip(name=np.str_('a.mp4'), path='a.mp4', content='a', label={label}, "
        "extra={'x': np.float64(2.5), 'n': 7, 'nan': float('nan')})"
    )
    (clip,) = read(site, body, tmp_path)
    values = (clip.name, clip.label.value, clip.label.std_dev, *clip.extra.values())
    assert values[:-1] == ("a.mp4", 3.1, 1.0, 2.5, 7)
    assert [type(value) for value in values] == [str, float, float, float, int, float]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('pairings=("fr",)', "pairings=()", "offers no pairing"),
        ('pairings=("fr",)', 'pairings=("full",)', "says pairings = ('full',) (invalid enum value 'full' - at `$[0]`)"),
        ('label_kind="mos"', 'label_kind="MOS"', "says label_kind = 'MOS' (invalid enum value 'MOS')"),
        ('title="The farm corpus"', "title=None", "says title = None (expected `str`, got `null`)"),
        ('split_seed="farm"', 'split_seed="farm", options=dict',
         "says options = <class 'dict'> (expected a subclass of msgspec.Struct)"),
    ],
)  # fmt: skip
def test_a_description_with_a_field_of_another_type(site: Site, old: str, new: str, said: str) -> None:
    site.add_corpus("farm", GOOD_CORPUS.replace(old, new))
    with pytest.raises(PluginError) as caught:
        Composition().add_corpus("farm")
    assert str(caught.value) == f"the corpus 'farm' of dist-farm 1.0 is broken: its CorpusInfo {said}"


def test_an_origin_outside_the_root_is_refused(site: Site, tmp_path: Path) -> None:
    site.add_corpus("farm", GOOD_CORPUS.replace('f"farm.txt:{number}"', '"/etc/passwd:1"'))
    (tmp_path / "farm.txt").write_text("a.mp4 a ref 1\n")
    with pytest.raises(PluginError) as caught:
        open_corpus("farm", tmp_path)
    assert str(caught.value) == (
        "the plugin of The farm corpus says that the label of a.mp4 stands in /etc/passwd, which is not below the corpus root; "
        "origins must name label files relative to it"
    )


def test_an_error_of_ours_passes_through_a_plugin(site: Site, tmp_path: Path) -> None:
    body = "from corekit import LabelError\n raise LabelError('farm.txt', 3, 'wrong')\n yield"
    with pytest.raises(Exception, match=r"^farm\.txt:3: wrong$") as caught:
        read(site, body, tmp_path)
    assert type(caught.value).__name__ == "LabelError"


def test_ctrl_c_in_a_plugin_is_no_fault_of_it(site: Site, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        read(site, "raise KeyboardInterrupt\n yield", tmp_path)


def test_a_device_lost_in_a_backend_passes_through(site: Site) -> None:
    source = GOOD_BACKEND.replace("return FlatExtractor()", "from corekit import DeviceLost; raise DeviceLost('gone')")
    with pytest.raises(DeviceLost, match="gone"):
        backend(site, source)


def test_a_corpus_that_only_describes_itself(site: Site, tmp_path: Path) -> None:
    site.add_corpus("farm", GOOD_CORPUS.partition("@hookimpl\ndef corekit_read_corpus")[0])
    composition = Composition()
    composition.add_corpus("farm")
    with pytest.raises(PluginError) as caught:
        list(composition.read_corpus(tmp_path, NoOptions()))
    assert str(caught.value) == (
        "dist-farm 1.0 cannot read 'farm' yet: it implements no corekit_read_corpus; install a newer version of dist-farm"
    )
    with pytest.raises(PluginError) as caught:
        composition.make_sample(tmp_path)
    assert str(caught.value) == (
        "dist-farm 1.0 makes no sample of 'farm' yet: it implements no corekit_make_sample; install a newer version of dist-farm"
    )
    (summary,) = [summary for summary in list_corpora() if summary.name == "farm"]
    assert (summary.label, summary.can) == ("mos 0..10", ())


def test_an_extension_cannot_answer_for_corpus_or_backend(site: Site, tmp_path: Path) -> None:
    hooks = ("corekit_corpus", "corekit_read_corpus", "corekit_backend", "corekit_extract_features")
    theft = "\n@hookimpl\n".join(f"def {hook}():\n raise AssertionError('{hook} was stolen')" for hook in hooks)
    site.add_corpus("farm", GOOD_CORPUS)
    site.add_backend("flat", GOOD_BACKEND)
    site.add_extension("thief", _EXTENSION + theft)
    (tmp_path / "farm.txt").write_text("a.mp4 a ref 1\n")
    composition = Composition()
    assert composition.add_extensions() == []
    composition.add_corpus("farm")
    composition.add_backend("flat")
    assert [clip.name for clip in composition.read_corpus(tmp_path, NoOptions())] == ["a.mp4"]
    assert composition.extractor((), device="auto", options=NoOptions()).identity == {"class": "flat"}


def test_the_order_of_registration_does_not_matter(site: Site) -> None:
    site.add_corpus("farm", GOOD_CORPUS)
    site.add_extension("ext", _EXTENSION + "def corekit_shape_row():\n return {column('x_ext_a'): 1}")
    composition = Composition()
    composition.add_extensions()
    composition.add_corpus("farm")
    assert (
        list(shape(composition))
        == list(shape(composed()))
        == [*(c.name for c in CORE_COLUMNS), "farm_grade", "x_ext_a"]
    )


def test_one_module_may_be_corpus_and_backend(site: Site) -> None:
    source = GOOD_CORPUS + GOOD_BACKEND.replace('name="flat"', 'name="farm"')
    site.add("dist-both", {"corekit.corpora": {"farm": "both"}, "corekit.backends": {"farm": "both"}}, {"both": source})
    composition = Composition()
    assert composition.add_corpus("farm").title == "The farm corpus"
    assert composition.add_backend("farm").numeric_class == "flat"
    assert [(status.kind, status.name) for status in composition.plugins] == [("corpus", "farm"), ("backend", "farm")]
    assert shape(composition)["farm_grade"] == 5


def backend(site: Site, source: str) -> Extractor:
    site.add_backend("flat", source)
    composition = Composition()
    composition.add_backend("flat")
    return composition.extractor((), device="auto", options=NoOptions())


def test_a_backend_that_returns_no_extractor(site: Site) -> None:
    with pytest.raises(BackendError) as caught:
        backend(site, GOOD_BACKEND.replace("return FlatExtractor()", "return 3"))
    assert str(caught.value) == "corekit_extract_features of dist-flat returned int, not Extractor"


def test_a_backend_that_raises(site: Site) -> None:
    with pytest.raises(PluginError) as caught:
        backend(site, GOOD_BACKEND.replace("return FlatExtractor()", "raise OSError('no device')"))
    assert str(caught.value) == (
        "corekit_extract_features of dist-flat 1.0 failed with OSError: no device; report it to dist-flat 1.0"
    )


def test_a_backend_must_bear_the_name_of_its_entry_point(site: Site) -> None:
    with pytest.raises(PluginError) as caught:
        backend(site, GOOD_BACKEND.replace('name="flat"', 'name="other"'))
    assert str(caught.value) == (
        "the backend 'flat' of dist-flat 1.0 is broken: its entry point is called 'flat' but its BackendInfo says 'other'"
    )


def test_a_clip_error_of_a_backend_stays_one(site: Site) -> None:
    source = GOOD_BACKEND.replace(
        "return FlatExtractor()", "from corekit import ClipError\n    raise ClipError('open', 'x')"
    )
    with pytest.raises(ClipError, match=r"^x$"):
        backend(site, source)


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a made-up plugin."""

    logs: str = ""
    window: int = 3
    fast: bool = False


def test_settings_go_to_every_plugin_that_knows_them() -> None:
    routed = route_settings({"logs": "d", "window": "5"}, {"one": Options, "two": NoOptions})
    assert routed == {"one": {"logs": "d", "window": "5"}, "two": {}}
    assert parse_options(Options, {"window": "5", "fast": "true"}, "one") == Options(window=5, fast=True)


def test_a_setting_that_no_plugin_knows() -> None:
    with pytest.raises(UsageError) as caught:
        route_settings({"lgos": "d"}, {"one": Options, "two": NoOptions})
    assert str(caught.value) == (
        "--set lgos: no plugin of this run has such an option (known: one: logs, window, fast; two: none)"
    )


def test_a_setting_of_another_type() -> None:
    with pytest.raises(UsageError) as caught:
        parse_options(Options, {"window": "wide"}, "one")
    assert str(caught.value) == (
        "--set for one: Expected `int`, got `str` - at `$.window`; see the README of one for its options"
    )
