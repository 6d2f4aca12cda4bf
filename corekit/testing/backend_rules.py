"""Rules for what a backend says of itself and what it gives for frames."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from corekit.backends.base import BackendInfo, PairFeatures
from corekit.errors import CorekitError, PluginError
from corekit.model import FrameFormat
from corekit.testing.backend import FORMATS, FRAMES, LARGE, BackendSubject, pictures
from corekit.testing.plugin_rules import KeepsTheHooks
from corekit.testing.rule import Fault, Rule

_ALMOST_ONE = (1 - 5e-5, 1 + 5e-5)  # libvmaf's integers miss 1 by 2.4e-5 in adm, 0.8e-5 in vif, on the kit's pictures
IDENTICAL: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "adm3"), _ALMOST_ONE),
    **dict.fromkeys(("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3"), _ALMOST_ONE),
    **dict.fromkeys(("psnr_y", "psnr_cb", "psnr_cr"), (60.0, 60.0)),
    **dict.fromkeys(("float_ssim", "float_ms_ssim"), (1 - 1e-6, 1 + 1e-6)),
    **dict.fromkeys(("ciede2000", "psnr_hvs"), (math.inf, math.inf)),
    "ssimulacra2": (100 - 1e-6, 100.0),
    **dict.fromkeys(("speed_temporal", "speed_chroma_u", "speed_chroma_v", "speed_chroma_uv"), (0.0, 1e-4)),
    "vmaf": (97.4, 100.0),
}
"""Feature to the range of its values where 8-bit frames are identical, as ``corekit.features.registry`` says in words."""


class ExtractorRule(Rule[BackendSubject]):
    """A rule on the open backend; whatever it raises breaks the rule that made it do so."""

    def faults(self, subject: BackendSubject) -> Iterator[Fault]:
        try:
            for problem in self.problems(subject):
                yield {"name": subject.name, "problem": problem}
        except CorekitError as error:
            yield {"name": subject.name, "problem": f"gave up: {error}"}
        except Exception as error:
            yield {"name": subject.name, "problem": f"raised {type(error).__name__}: {error}"}

    @abstractmethod
    def problems(self, subject: BackendSubject) -> Iterator[str]:
        """What breaks the rule, one clause each."""


class DescribesItself(ExtractorRule):
    """corekit_backend returns a BackendInfo of the entry point's name that states title and numeric class."""

    name = "describes-itself"
    failure = "the BackendInfo of {name} cannot be used: it {problem}; correct it in corekit_backend"
    needs = (KeepsTheHooks.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        try:
            info = subject.info
        except PluginError as error:
            yield f"cannot be had ({error})"
            return
        for field in msgspec.structs.fields(BackendInfo):
            value = getattr(info, field.name)
            if field.name != "options" and not (isinstance(value, str) and value.strip()):
                yield f"has {value!r} as {field.name}"


class Opens(ExtractorRule):
    """corekit_extract_features opens an Extractor with the settings of the test class."""

    name = "opens"
    failure = "the backend {name} does not open: it {problem}; give the settings that it needs in the fixture settings"
    needs = (DescribesItself.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        _ = subject.extractor
        yield from ()


class IdentityStable(ExtractorRule):
    """identity and versions are text by text, identity says something, and both are the same for every opening."""

    name = "identity-stable"
    failure = "the backend {name} {problem}; let identity state what changes values, and nothing that changes by itself"
    needs = (Opens.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        again = subject.open()
        for name in ("identity", "versions"):
            first, second = getattr(subject.extractor, name, None), getattr(again, name, None)
            if not isinstance(first, Mapping) or not all(
                isinstance(word, str) for pair in first.items() for word in pair
            ):
                yield f"has {first!r} as {name}"
            elif first != second:
                yield f"has {dict(first)} as {name}, and {second!r} when it is opened again"
        if not subject.extractor.identity:
            yield "has an empty identity"
        again.close()


class FramesRule(ExtractorRule):
    """A rule on what comes out for frames that go in."""

    asked = "backends that read frames"

    def exemption(self, subject: BackendSubject) -> str:
        return "" if subject.extractor.reads_video else "the backend reads no frames"


class ValuesShaped(FramesRule):
    """Every value is a float64 array of shape (n_frames,), in the order of the pairs, and n_frames counts the frames pushed."""

    name = "values-shaped"
    failure = "the backend {name} {problem}; give one float64 for every frame that was pushed"
    needs = (Opens.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        if len(subject.ordinary) != 2:
            yield f"gave {len(subject.ordinary)} results for 2 pairs"
        for result in subject.ordinary:
            if result.n_frames != FRAMES:
                yield f"counted {result.n_frames} frames of {FRAMES}"
            for feature, values in result.values.items():
                if not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.shape != (FRAMES,):
                    shape = (
                        f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else repr(values)
                    )
                    yield f"gave {shape} as {feature} of {FRAMES} frames"


class ValuesFinite(FramesRule):
    """Every value of an ordinary pair is finite."""

    name = "values-finite"
    failure = "the backend {name} gave {problem}; say in lacks() or in nulls what it cannot compute"
    needs = (ValuesShaped.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        for result in subject.ordinary:
            for feature, values in result.values.items():
                if not np.isfinite(values).all():
                    yield f"{values[~np.isfinite(values)][0]} as {feature}"


class LacksIsHonoured(FramesRule):
    """What lacks() denies has a reason; everything else has a value, or a null with its reason, and nothing else comes."""

    name = "lacks-is-honoured"
    failure = (
        "the backend {name} {problem}; let lacks() and nulls say of every feature without values why, in one clause"
    )
    needs = (ValuesShaped.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        for fmt in FORMATS:
            yield from self._of_format(subject, fmt)

    def _of_format(self, subject: BackendSubject, fmt: FrameFormat) -> Iterator[str]:
        where = f"{fmt.width}x{fmt.height} {fmt.pix_fmt}"
        for feature in subject.features:
            reason = subject.extractor.lacks(feature, fmt)
            if reason is not None and not _is_clause(reason):
                yield f"lacks {feature} of {where} because of {reason!r}"
        wanted = subject.offered(fmt)
        if not wanted:
            return
        (result,) = subject.measure(fmt, pictures(fmt, 0, 3), [pictures(fmt, 4, 3)])
        for feature in wanted:
            if feature not in result.values and not _is_clause(result.nulls.get(feature)):
                yield f"gave neither {feature} of {where} nor a reason"
        for feature in result.values.keys() - set(wanted):
            yield f"gave {feature} of {where}, which nobody asked for"


def _is_clause(reason: object) -> bool:
    return isinstance(reason, str) and bool(reason.strip()) and "\n" not in reason


class GroupEqualsItsPairs(FramesRule):
    """A pair has the same values in a group as alone."""

    name = "group-equals-its-pairs"
    failure = "the backend {name} {problem}; keep what belongs to one rung apart from the others"
    needs = (ValuesShaped.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        reference = pictures(LARGE, 0)
        for noise, together in zip((4, 20), subject.ordinary, strict=True):
            (alone,) = subject.measure(LARGE, reference, [pictures(LARGE, noise)])
            for feature in differing(together, alone):
                yield f"gave another {feature} for a rung alone than in its group"


class EarlyEndLeavesOthersAlone(FramesRule):
    """A rung that ends early has its own frames alone, and the others the values that they would have without it."""

    name = "early-end-leaves-others-alone"
    failure = (
        "the backend {name} {problem}; None in push means that this rung has no frame there, and says nothing else"
    )
    needs = (ValuesShaped.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        rungs = [pictures(LARGE, 4), pictures(LARGE, 20, 3)]
        full, short = subject.measure(LARGE, pictures(LARGE, 0), rungs)
        for feature in differing(full, subject.ordinary[0]):
            yield f"gave another {feature} for a rung beside one that ended after 3 frames"
        lengths = {len(values) for values in short.values.values()} | {short.n_frames}
        if lengths != {3}:
            yield f"counted {' and '.join(map(str, sorted(lengths)))} frames of a rung that ended after 3"


class FramesMayBeOverwritten(FramesRule):
    """The frames may be overwritten as soon as push has returned."""

    name = "frames-may-be-overwritten"
    failure = "the backend {name} {problem}; copy in push what is needed afterwards"
    needs = (ValuesShaped.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        rungs = [pictures(LARGE, 4), pictures(LARGE, 20)]
        spoilt = subject.measure(LARGE, pictures(LARGE, 0), rungs, spoil=True)
        for before, after in zip(subject.ordinary, spoilt, strict=True):
            for feature in differing(before, after):
                yield f"gave another {feature} when frames were overwritten after push"


class ClosesTwice(FramesRule):
    """A session may be closed at any time and more than once, and what follows is not harmed."""

    name = "closes-twice"
    failure = "the backend {name} {problem}; let close do nothing where there is nothing left to free"
    needs = (ValuesShaped.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        session = subject.extractor.open_group(subject.group(LARGE, 1))
        (frame,) = pictures(LARGE, 0, 1)
        session.push(frame, [frame])
        session.close()
        session.close()
        rungs = [pictures(LARGE, 4), pictures(LARGE, 20)]
        for before, after in zip(subject.ordinary, subject.measure(LARGE, pictures(LARGE, 0), rungs), strict=True):
            for feature in differing(before, after):
                yield f"gave another {feature} after a session that was closed early"


class IdenticalFrames(FramesRule):
    """Identical frames give the values that docs/features.md states, within the tolerance of what 6 decimals can print."""

    name = "identical-frames"
    failure = "the backend {name} gave {problem}; deny in lacks() what is not the feature of docs/features.md"
    needs = (ValuesShaped.name,)

    def problems(self, subject: BackendSubject) -> Iterator[str]:
        reference = pictures(LARGE, 0)
        (result,) = subject.measure(LARGE, reference, [reference])
        for feature, (low, high) in IDENTICAL.items():
            for value in result.values.get(feature, ()):
                inside = not math.isfinite(value) if math.isinf(low) else low <= value <= high
                if not inside:
                    wanted = (
                        "infinite" if math.isinf(low) else f"{low:g}" if low == high else f"{low:.7g} to {high:.7g}"
                    )
                    yield f"{value:.9g} as {feature} of identical frames, not {wanted}"
                    break


def differing(first: PairFeatures, second: PairFeatures) -> list[str]:
    """Features whose values differ in any bit, or that one result lacks."""
    names = sorted(first.values.keys() | second.values.keys())
    return [
        name
        for name in names
        if name not in first.values
        or name not in second.values
        or not np.array_equal(first.values[name], second.values[name], equal_nan=True)
    ]


EXTRACTOR_RULES: tuple[type[Rule[BackendSubject]], ...] = (
    DescribesItself,
    Opens,
    IdentityStable,
    ValuesShaped,
    ValuesFinite,
    LacksIsHonoured,
    GroupEqualsItsPairs,
    EarlyEndLeavesOthersAlone,
    FramesMayBeOverwritten,
    ClosesTwice,
    IdenticalFrames,
)
