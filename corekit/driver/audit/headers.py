"""What the headers of the clips tell: formats and rates, contradictions within a file, with its labels, with its reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from corekit.driver.audit.findings import Findings
from corekit.driver.audit.probing import probe_all
from corekit.driver.audit.report import Format, Headers
from corekit.driver.corpus import Corpus
from corekit.driver.plan import Plan, split_policy
from corekit.driver.prober import Answer
from corekit.model import HLG_TRANSFERS, PQ_TRANSFERS, Clip, Measurement, Probe, Value
from corekit.plugins.composition import Composition
from corekit.plugins.hookspecs import RowContext
from corekit.split import unit_hash

_RATE_TOLERANCE_HZ = 0.01
"""Label files write 29.97 for 30000/1001."""
_COLUMN_ENDS = ("_width_manifest", "_height_manifest", "_framerate_manifest")


class _Seen(Struct, frozen=True):
    """What of a reference's header its distorted clips are held against."""

    name: str
    n_frames: int | None
    duration_s: float
    fps: float
    transfer_class: str


def read_headers(
    corpus: Corpus, plan: Plan, composition: Composition, findings: Findings, *,
    most: int | None, workers: int, on_file: Callable[[int, int], None],
) -> Headers:  # fmt: skip
    """Probe the clips that are there, whole contents in the order of their hash until ``most`` clips, and judge them."""
    clips = _chosen(corpus, {clip.name for clip in plan.missing}, most)
    tally = _Tally(corpus, plan, composition, findings)
    for number, (clip, answer) in enumerate(probe_all(corpus.root, clips, workers=workers), start=1):
        tally.take(clip, answer)
        on_file(number, len(clips))
    return tally.headers(len(clips))


def _chosen(corpus: Corpus, missing: set[str], most: int | None) -> list[Clip]:
    """References before the others, so that a clip is held against a header that is known."""
    present = [clip for clip in corpus if clip.name not in missing]
    if most is not None and most < len(present):
        sizes = Counter(clip.content for clip in present)
        chosen: set[str] = set()
        total = 0
        for content in sorted(sizes, key=lambda name: (unit_hash(name), name)):
            if total >= most:
                break
            chosen.add(content)
            total += sizes[content]
        present = [clip for clip in present if clip.content in chosen]
    return sorted(present, key=lambda clip: not clip.is_reference)


class _Tally:
    def __init__(self, corpus: Corpus, plan: Plan, composition: Composition, findings: Findings) -> None:
        self._findings = findings
        self._labels = _LabelColumns(corpus, plan, composition)
        self._reference_of = {
            task.clip.name: task.reference.name
            for task in plan.tasks
            if task.reference is not None and task.reference.name != task.clip.name
        }
        self._needed = set(self._reference_of.values())
        self._references: dict[str, _Seen] = {}
        self._formats: Counter[Format] = Counter()
        self._rates: Counter[str] = Counter()
        self._read = self._rotated = 0
        self._seconds = 0.0

    def take(self, clip: Clip, answer: Answer) -> None:
        probe = answer.probe
        if probe is None:
            self._findings.add("unreadable-header", f"{answer.problem}{self._gravity(clip)}")
            return
        if answer.cut:
            self._findings.add("cut-short", f"{clip.path}: {answer.cut}{self._gravity(clip)}")
        self._count(probe)
        self._check_colour(clip, probe)
        if probe.variable_rate:
            self._findings.add("variable-frame-rate", f"{clip.path}: {_rate(probe)} Hz on average")
        self._check_labels(clip, probe)
        if clip.name in self._needed:
            self._references[clip.name] = _seen(clip, probe)
        elif reference := self._references.get(self._reference_of.get(clip.name, "")):
            self._check_pair(_seen(clip, probe), reference)

    def headers(self, asked: int) -> Headers:
        """What has been taken so far."""
        return Headers(
            asked=asked,
            read=self._read,
            declared_s=round(self._seconds, 3),
            formats=tuple(replace(format_, clips=clips) for format_, clips in self._formats.most_common()),
            rates=dict(self._rates.most_common()),
            rotated=self._rotated,
        )

    def _gravity(self, clip: Clip) -> str:
        return f" (the reference of {clip.content})" if clip.name in self._needed else ""

    def _count(self, probe: Probe) -> None:
        self._read += 1
        self._seconds += probe.duration_s
        self._rotated += probe.rotation != 0
        self._rates[_rate(probe)] += 1
        self._formats[_format(probe)] += 1

    def _check_colour(self, clip: Clip, probe: Probe) -> None:
        tags = f"{probe.transfer or 'no transfer'} with primaries {probe.primaries or 'unspecified'}"
        for transfers, code in ((PQ_TRANSFERS, "pq-without-bt2020"), (HLG_TRANSFERS, "hlg-without-bt2020")):
            if probe.transfer in transfers and probe.primaries != "bt2020":
                self._findings.add(code, f"{clip.path}: {tags}")
        if probe.bit_depth == 8 and probe.transfer in PQ_TRANSFERS | HLG_TRANSFERS:
            self._findings.add("hdr-at-8-bits", f"{clip.path}: {tags}, {probe.pix_fmt}")
        if probe.bit_depth >= 10 and not probe.is_hdr:
            code = "sdr-at-10-bits" if probe.transfer else "untagged-at-10-bits"
            self._findings.add(code, f"{clip.path}: {tags}, {probe.pix_fmt}")

    def _check_labels(self, clip: Clip, probe: Probe) -> None:
        width, height, rate = self._labels.of(clip, probe)
        if (width is not None and width != probe.width) or (height is not None and height != probe.height):
            turned = " (turned)" if (width, height) == (probe.height, probe.width) else ""
            self._findings.add(
                "geometry-contradicts-labels",
                f"{clip.path}: labels {width or '?'}x{height or '?'}, clip {probe.width}x{probe.height}{turned}",
            )
        if isinstance(rate, float | int) and probe.fps and abs(rate - probe.fps) > _RATE_TOLERANCE_HZ:
            self._findings.add("rate-contradicts-labels", f"{clip.path}: labels {rate:g} Hz, clip {_rate(probe)} Hz")

    def _check_pair(self, clip: _Seen, reference: _Seen) -> None:
        between = f"{clip.name} against {reference.name}"
        counts = clip.n_frames, reference.n_frames
        if None not in counts and counts[0] != counts[1]:
            self._findings.add("frame-count-differs", f"{between}: {counts[0]} against {counts[1]} frames")
        frame_s = 1 / reference.fps if reference.fps else 0.0
        if abs(clip.duration_s - reference.duration_s) > 1.5 * frame_s:
            self._findings.add(
                "duration-differs", f"{between}: {clip.duration_s:.3f} against {reference.duration_s:.3f} s"
            )
        if abs(clip.fps - reference.fps) > _RATE_TOLERANCE_HZ:
            self._findings.add(
                "rate-differs-from-reference", f"{between}: {clip.fps:.6g} against {reference.fps:.6g} Hz"
            )
        if clip.transfer_class != reference.transfer_class:
            self._findings.add(
                "transfer-differs-from-reference",
                f"{between}: {clip.transfer_class} against {reference.transfer_class}",
            )


class _LabelColumns:
    """Geometry and rate as the label file has them, where the plugin's columns carry them."""

    def __init__(self, corpus: Corpus, plan: Plan, composition: Composition) -> None:
        names = [column.name for column in corpus.info.columns]
        self._names = [next((name for name in names if name.endswith(end)), None) for end in _COLUMN_ENDS]
        self._corpus, self._plan, self._composition = corpus, plan, composition

    def of(self, clip: Clip, probe: Probe) -> Sequence[Value]:
        """Width, height and frames per second; None where the label file is silent."""
        if not any(self._names):
            return None, None, None
        row = self._composition.shape_row(clip, probe, {}, self._context(clip, probe))
        values: Mapping[str, Value] = {column.name: value for column, value in row.items()}
        return [values.get(name) if name else None for name in self._names]

    def _context(self, clip: Clip, probe: Probe) -> RowContext:
        measurement = Measurement(
            clip_sha256="", ref_sha256=None, probe=probe, ref_probe=None, frames_dis=None, frames_ref=None, n_frames=None,
            pooled={}, nulls={}, options={}, backend="none", versions={},
        )  # fmt: skip
        return RowContext(
            run_id="",
            timestamp="",
            info=self._corpus.info,
            reference=None,
            pairing=self._plan.pairing,
            split=self._corpus.split(clip),
            split_policy=split_policy(self._corpus, clip),
            measurement=measurement,
            timings=False,
        )


def _seen(clip: Clip, probe: Probe) -> _Seen:
    return _Seen(clip.name, probe.n_frames, probe.duration_s, probe.fps, probe.transfer_class)


def _rate(probe: Probe) -> str:
    return f"{probe.fps:.3f}".rstrip("0").rstrip(".")


def _format(probe: Probe) -> Format:
    return Format(
        clips=0,
        width=probe.width,
        height=probe.height,
        pix_fmt=probe.pix_fmt,
        bit_depth=probe.bit_depth,
        codec=probe.codec,
        transfer=probe.transfer,
        primaries=probe.primaries,
        transfer_class=probe.transfer_class,
        hdr=probe.is_hdr,
    )
