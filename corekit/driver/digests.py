"""What a worker knows of its files' digests: told by the run, or computed here and told back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from corekit.driver.places import Places
from corekit.driver.tasks import Hashed
from corekit.errors import ClipError
from corekit.model import Clip


class Digests:
    """SHA-256 of the files of a job: those known already and untouched since, and those hashed here."""

    def __init__(self, places: Places, known: Iterable[Hashed], beat: Callable[[int], None]) -> None:
        self._places = places
        self._earlier = {hashed.path: hashed for hashed in known}
        self._now: dict[str, Hashed] = {}
        self._beat = beat
        self.fresh: list[Hashed] = []

    def of(self, clip: Clip, stage: str) -> str:
        if clip.path not in self._now:
            try:
                self._now[clip.path] = self._look(clip)
            except OSError as error:
                raise ClipError(
                    stage, f"{clip.path} cannot be read: {error.strerror}; check the file and its disk"
                ) from error
        return self._now[clip.path].sha256

    def check_unchanged(self, clip: Clip) -> None:
        """Raise ``ClipError`` where the file is no longer the one that was hashed."""
        try:
            unchanged = self._places.stamp(clip) == self._now[clip.path].stamp
        except OSError:
            unchanged = False
        if not unchanged:
            raise ClipError("decode", f"{clip.path} was changed while it was read; run the same command again")

    def _look(self, clip: Clip) -> Hashed:
        stamp = self._places.stamp(clip)
        earlier = self._earlier.get(clip.path)
        if earlier is not None and earlier.stamp == stamp:
            return earlier
        hashed = Hashed(clip.path, stamp, self._places.sha256(clip, on_bytes=lambda _: self._beat(0)))
        self.fresh.append(hashed)
        return hashed
