"""Measure one content group: every file decoded once, in step, through the backend, to pooled features."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from corekit.backends.base import Extractor, Group, Pair, PairFeatures
from corekit.driver import floor
from corekit.driver.digests import Digests
from corekit.driver.places import Places
from corekit.driver.synthetic import encode_clip, encoder_identity
from corekit.driver.tasks import Done, Failed, FromWorker, Job, Settings, Task, task_identity
from corekit.errors import ClipError
from corekit.files import sha256_file
from corekit.model import Clip, Encode, Encoded, FrameFormat, Measurement, Pooled, Probe, Value
from corekit.schema import INFORMATIVE

if TYPE_CHECKING:
    from corekit.planes import Planes, Values
    from corekit.video import VideoReader
    from corekit.video.nvdec import DeviceDecoder

Beat = Callable[[int], None]
SELF_REASON = "the clip is compared with itself, where the feature is a constant (--identity compute computes it)"
NOT_ASKED = "not asked for (--features)"
NO_EOTF = "libvmaf's cambi knows no eotf for this transfer; bt1886 was used"

_SAME_RATE = 5e-4
"""Relative difference of frame rates that rounding explains: 29.97 and 30000/1001."""
_SAME_ASPECT = 1.04
"""Ratio of aspect ratios that even sizes of small rungs explain."""


class StateError(Exception):
    """What a worker must keep cannot be kept: no clip's fault, and no use to go on."""


class _Work(Struct):
    """One task on its way."""

    task: Task
    identity: str | None = None
    clip_sha256: str = ""
    ref_sha256: str | None = None
    error: ClipError | None = None
    reader: VideoReader | None = None
    probe: Probe | None = None
    wanted: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    """What the backend is asked for: ``wanted``, but for constants that are known without it."""
    encoded: Encoded | None = None
    nulls: dict[str, str] = {}
    options: dict[str, Value] = {}
    notes: tuple[str, ...] = ()


def pool(values: Values) -> Pooled | None:
    """Mean, standard deviation (ddof 0), linear 10th and 90th percentile over finite frames; None where there is none."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return None
    p10, p90 = np.percentile(finite, (10, 90))
    return Pooled(float(finite.mean()), float(finite.std()), float(p10), float(p90), int(finite.size))


def measure_job(
    job: Job, settings: Settings, extractor: Extractor | None, beat: Beat, decoder: DeviceDecoder | None = None
) -> Iterator[FromWorker]:
    """Answer every task of a job with ``Done`` or ``Failed``; digests learnt on the way come first.

    ``decoder`` is the GPU's, where the backend takes its frames.
    """
    started = time.monotonic()
    places = Places(Path(settings.root))
    digests = Digests(places, job.known, beat)
    works = [_Work(task) for task in job.tasks]
    for work in works:
        _identify(work, settings, extractor, digests)
    yield from digests.fresh
    with ExitStack() as stack:
        if extractor is None or not extractor.reads_video:
            results = _without_frames(works, places, settings, extractor, stack)
        else:
            results = _with_frames(job, works, places, settings, extractor, beat, decoder, stack)
    encoding = sum(work.encoded.seconds for work in works if work.encoded)
    share = (time.monotonic() - started - encoding) / len(works)
    for work in works:
        _distrust(work, digests)
        yield _answer(work, results.get(work.task.clip.name), settings, extractor, share)


def _distrust(work: _Work, digests: Digests) -> None:
    """Values of a file that changed meanwhile belong to no digest: such a task stays open for the next run."""
    if work.error is None:
        try:
            for clip in filter(None, (work.task.clip, work.task.reference)):
                digests.check_unchanged(clip)
        except ClipError as error:
            work.error, work.identity = error, None


class _Result(Struct):
    features: PairFeatures | None
    frames_ref: int | None
    frames_dis: int | None
    ref_probe: Probe | None


def _identify(work: _Work, settings: Settings, extractor: Extractor | None, digests: Digests) -> None:
    task = work.task
    try:
        work.clip_sha256 = digests.of(task.clip, "open")
        if task.reference is not None:
            work.ref_sha256 = digests.of(task.reference, "reference")
        side = extractor.side_inputs(task.clip) if extractor else ()
        work.identity = task_identity(
            task,
            clip_sha256=work.clip_sha256,
            ref_sha256=work.ref_sha256,
            features=settings.features,
            identity=settings.identity,
            backend=extractor.identity if extractor else {},
            decoder=decoder_identity(extractor),
            side_sha256=tuple(sha256_file(path) for path in side),
            encoder=encoder_of(task, extractor),
        )
    except ClipError as error:
        work.error = error
    except OSError as error:
        work.error = ClipError("compare", f"{error.filename} cannot be read: {error.strerror}; check the file")


def decoder_identity(extractor: Extractor | None) -> dict[str, str]:
    """Versions of the libraries that decode and scale; empty where no frame is decoded."""
    if extractor is None or not extractor.reads_video:
        return {}
    from corekit.video import decoder_versions

    return decoder_versions()


def encoder_of(task: Task, extractor: Extractor | None) -> dict[str, str] | None:
    """What of the task's encode changes values; None where none is made."""
    if task.encode is None or extractor is None or not extractor.reads_video:
        return None
    return encoder_identity(task.encode)


def _without_frames(
    works: list[_Work], places: Places, settings: Settings, extractor: Extractor | None, stack: ExitStack
) -> dict[str, _Result]:
    from corekit.video import frame_format

    results = {}
    for work in works:
        if work.error:
            continue
        task = work.task
        try:
            work.probe = places.probe(task.clip)
            ref_probe = work.probe if task.encode else places.probe(task.reference) if task.reference else None
            features = None
            if extractor is not None:
                fmt = frame_format(work.probe)
                _choose(work, settings, extractor, Group(content="", fmt=fmt, framerate=work.probe.framerate, pairs=()))
                group = Group(content=task.clip.content, fmt=fmt, framerate=work.probe.framerate, pairs=(_pair(work),))
                session = extractor.open_group(group)
                stack.callback(session.close)
                answer = session.finish()[0]
                if isinstance(answer, ClipError):
                    raise answer
                features = _completed(work, answer, fmt)
                work.notes += _other_count(work.probe, features.n_frames)
            frames = features.n_frames if features else None
            results[task.clip.name] = _Result(features, frames, frames, ref_probe)
        except ClipError as error:
            work.error = error
    return results


def _with_frames(
    job: Job,
    works: list[_Work],
    places: Places,
    settings: Settings,
    extractor: Extractor,
    beat: Beat,
    decoder: DeviceDecoder | None,
    stack: ExitStack,
) -> dict[str, _Result]:
    alive = [work for work in works if work.error is None]
    if not alive:
        return {}
    first = alive[0].task
    source = first.reference or first.clip
    try:
        reference = stack.enter_context(places.reader(source, decoder=decoder))
    except ClipError as error:
        for work in alive:
            work.error = _of_reference(work, source, error)
        return {}
    for work in alive:
        try:
            if work.task.encode is not None:
                work.probe = reference.probe
                work.encoded, work.reader = _encoded(work.task, work.task.encode, places, reference, beat, stack)
            elif work.task.reference is None:
                work.probe = reference.probe
            else:
                trusted = extractor.scales if extractor.scales_frames else None
                work.reader = stack.enter_context(
                    places.reader(work.task.clip, target=reference.fmt, decoder=decoder, trusted=trusted)
                )
                work.probe = work.reader.probe
        except ClipError as error:
            work.error = error
    alive = [work for work in alive if work.error is None]
    if not alive:
        return {}
    group = Group(content=job.content, fmt=reference.fmt, framerate=reference.probe.framerate, pairs=())
    for work in alive:
        _choose(work, settings, extractor, group)
    session = extractor.open_group(
        Group(
            content=group.content, fmt=group.fmt, framerate=group.framerate, pairs=tuple(_pair(work) for work in alive)
        )
    )
    stack.callback(session.close)
    counts = _run_frames(reference, alive, session.push, beat, settings)
    if counts is None:
        return {}
    results = {}
    for work, answer, frames in zip(alive, session.finish(), counts, strict=True):
        if isinstance(answer, ClipError):
            work.error = work.error or answer
        elif work.error is None:
            work.error = _count_mismatch(work, reference, settings, frames)
            answer = _completed(work, answer, reference.fmt)
            results[work.task.clip.name] = _Result(answer, reference.frames, frames, reference.probe)
        work.notes += _noticed(work, reference)
    return results


def _noticed(work: _Work, reference: VideoReader) -> tuple[str, ...]:
    """What was noticed of a clip while it was read, and of its reference."""
    if work.reader is None or work.task.encode is not None:
        return reference.notes
    notes = work.reader.notes + tuple(f"its reference: {note}" for note in reference.notes)
    theirs, own = reference.probe.color_range, work.reader.probe.color_range
    if theirs and own and theirs != own:
        notes += (f"its samples have {own} range, those of its reference {theirs}; neither is converted",)
    return notes + (() if work.task.reference is None else _unlike(work.reader.probe, reference.probe))


def _unlike(own: Probe, reference: Probe) -> tuple[str, ...]:
    """What makes two clips hardly comparable, though every frame has its counterpart."""
    notes = []
    if own.fps and reference.fps and abs(own.fps / reference.fps - 1) > _SAME_RATE:
        notes.append(
            f"it has {own.fps:.6g} frames a second, its reference {reference.fps:.6g}; they are compared by number"
        )
    ratios = own.width / own.height, reference.width / reference.height
    if max(ratios) > _SAME_ASPECT * min(ratios):
        shapes = f"{own.width}x{own.height}", f"{reference.width}x{reference.height}"
        notes.append(f"its picture is {shapes[0]}, that of its reference {shapes[1]}; it is stretched to it")
    classes = own.transfer_class, reference.transfer_class
    if "unknown" not in classes and classes[0] != classes[1]:
        notes.append(f"its transfer is {classes[0]}, that of its reference {classes[1]}; neither is converted")
    return tuple(notes)


def _encoded(
    task: Task, recipe: Encode, places: Places, reference: VideoReader, beat: Beat, stack: ExitStack
) -> tuple[Encoded, VideoReader]:
    from corekit.video import VideoReader

    encoded, content = encode_clip(places, task.clip, recipe, beat)
    path = Path(f"the {recipe.encoder} encode of {task.clip.path}")
    return encoded, stack.enter_context(VideoReader(path, content=content, target=reference.fmt))


def _run_frames(
    reference: VideoReader,
    works: list[_Work],
    push: Callable[[Planes, list[Planes | None]], None],
    beat: Beat,
    settings: Settings,
) -> list[int] | None:
    """Take reference and distorted clips through in step; per work the frames decoded, or None if the reference broke."""
    sources = [iter(work.reader) if work.reader is not None else None for work in works]
    open_ = [work.error is None for work in works]

    def next_of(index: int) -> Planes | None:
        source = sources[index]
        if source is None or not open_[index]:
            return None
        try:
            planes = next(source, None)
        except ClipError as error:
            works[index].error = error
            planes = None
        open_[index] = planes is not None
        return planes

    reference_frames = iter(reference)
    while True:
        try:
            planes = next(reference_frames, None)
        except ClipError as error:
            for work in works:
                work.error = work.error or _of_reference(work, work.task.reference or work.task.clip, error)
            return None
        if planes is None:
            break
        distorted = [planes if source is None else next_of(index) for index, source in enumerate(sources)]
        if any(item is not None for item in distorted):
            push(planes, distorted)
        beat(sum(item is not None for item in distorted))
    for index in range(len(works)):
        while next_of(index) is not None:
            beat(0)
    return [work.reader.frames if work.reader is not None else reference.frames for work in works]


def _choose(work: _Work, settings: Settings, extractor: Extractor, group: Group) -> None:
    """Decide which features are computed, the options that follow from the clip, and why the others are null."""
    assert work.probe is not None
    work.nulls, wanted = {}, []
    with_itself = work.task.reference is None
    only_informative = with_itself and settings.identity == "null"
    for feature in settings.features:
        reason = extractor.lacks(feature, group.fmt)
        if only_informative and feature not in INFORMATIVE:
            reason = SELF_REASON
        if reason:
            work.nulls[feature] = reason
        else:
            wanted.append(feature)
    work.wanted = work.computed = tuple(wanted)
    if with_itself and settings.identity == "floor":
        work.computed = floor.computed(work.wanted)
    work.options = {}
    if "cambi" in work.wanted:
        work.options["cambi_eotf"] = "pq" if work.probe.is_hdr and work.probe.transfer_class == "pq" else "bt1886"
        if work.probe.is_hdr and work.probe.transfer_class == "hlg":
            work.notes += (NO_EOTF,)


def _pair(work: _Work) -> Pair:
    return Pair(clip=work.task.clip, features=work.computed, options=work.options)


def _completed(work: _Work, answer: PairFeatures, fmt: FrameFormat) -> PairFeatures:
    """The backend's answer, with the constants that it was not asked for."""
    return answer if work.computed == work.wanted else floor.completed(answer, work.wanted, fmt)


def _answer(
    work: _Work, result: _Result | None, settings: Settings, extractor: Extractor | None, seconds: float
) -> Done | Failed:
    clip = work.task.clip
    if work.error is not None or work.identity is None or work.probe is None or result is None:
        error = work.error or ClipError("worker", f"{clip.name} gave no result; report this as a bug of corekit")
        return Failed(work.identity, clip.name, error.stage, str(error))
    pooled: dict[str, Pooled] = {}
    nulls = dict(work.nulls)
    if result.features is not None:
        nulls |= {name: reason for name, reason in result.features.nulls.items() if name in work.wanted}
        for feature in work.wanted:
            values = result.features.values.get(feature)
            if values is None:
                nulls.setdefault(feature, f"backend {settings.backend} gave no value")
                continue
            if fault := _value_fault(values, feature, result, extractor):
                return Failed(work.identity, clip.name, "compare", f"backend {settings.backend} {fault}")
            statistics = pool(values)
            if statistics is None:
                nulls.setdefault(feature, "no frame has a finite value")
            else:
                pooled[feature] = statistics
    frames_sha256 = None
    if settings.frames_dir is not None and result.features is not None:
        frames_sha256 = _keep_frames(Path(settings.frames_dir), work.identity, result.features)
    n_frames = result.features.n_frames if result.features else None
    measurement = Measurement(
        clip_sha256=work.clip_sha256,
        ref_sha256=work.ref_sha256,
        probe=work.probe,
        ref_probe=result.ref_probe,
        frames_dis=result.frames_dis,
        frames_ref=result.frames_ref,
        n_frames=n_frames,
        pooled=pooled,
        nulls=nulls,
        options=work.options,
        backend=settings.backend or "none",
        versions={**decoder_identity(extractor), **(extractor.versions if extractor else {})},
        notes=tuple(dict.fromkeys(work.notes)),
        seconds=seconds,
        frames_sha256=frames_sha256,
        encoded=work.encoded,
    )
    return Done(work.identity, clip.name, measurement)


def _value_fault(values: Values, feature: str, result: _Result, extractor: Extractor | None) -> str:
    """What is wrong with a backend's values of a feature (one clause), or an empty string."""
    assert result.features is not None
    compared = result.features.n_frames
    counts = (result.frames_ref, result.frames_dis)
    if extractor is not None and extractor.reads_video:
        compared = min(count for count in counts if count is not None)
    if getattr(values, "dtype", None) != np.float64 or values.shape != (compared,):
        said = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        return f"gave {said} as {feature} of {compared} frames, not float64 of shape ({compared},); report it to its authors"
    return ""


def _keep_frames(folder: Path, identity: str, features: PairFeatures) -> str:
    from corekit.frames import write_part

    try:
        return write_part(folder, identity, features.values)
    except OSError as error:
        raise StateError(
            f"per-frame values cannot be written to {folder}: {error.strerror}; free space or check the disk: what has "
            "finished is kept; run the same command again to go on"
        ) from error


def count_mismatch(reference: str, frames_ref: int | None, frames_dis: int | None) -> str:
    """The sentence for two frame counts that differ."""
    return (
        f"the clip has {frames_dis} frames, its reference {reference} has {frames_ref}; "
        "compare the common beginning with --frame-mismatch shortest"
    )


def _count_mismatch(work: _Work, reference: VideoReader, settings: Settings, frames: int) -> ClipError | None:
    if frames == reference.frames or settings.frame_mismatch == "shortest" or work.task.reference is None:
        return None
    return ClipError("compare", count_mismatch(work.task.reference.name, reference.frames, frames))


def _other_count(probe: Probe, recorded: int) -> tuple[str, ...]:
    if probe.n_frames is None or probe.n_frames == recorded:
        return ()
    return (f"its log has {recorded} frames, the clip {probe.n_frames}; the log is taken as it is",)


def _of_reference(work: _Work, source: Clip, error: ClipError) -> ClipError:
    if source.name == work.task.clip.name:
        return error
    return ClipError("reference", f"its reference {source.name} failed: {error}")
