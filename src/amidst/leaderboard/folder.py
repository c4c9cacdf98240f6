"""Where the files of a benchmark lie.

benchmark.db      SQLite; with PostgreSQL there is none
secrets.json      keys of the server (mode 600)
address.txt       where it was last served
public.json       images and categories, for everybody
hidden/PHASE.json annotations of a phase (folder mode 700, files 600): only scorers open them
uploads/ID        a submission as sent
work/             of running scorers; emptied at the start
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folder:
    """The paths of a benchmark."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "benchmark.db"

    @property
    def public(self) -> Path:
        """The list of images and categories."""
        return self.root / "public.json"

    @property
    def hidden(self) -> Path:
        """Folder of the annotations."""
        return self.root / "hidden"

    @property
    def uploads(self) -> Path:
        """Folder of submissions."""
        return self.root / "uploads"

    @property
    def work(self) -> Path:
        """Folder of running scorers."""
        return self.root / "work"

    def truth(self, phase_id: int) -> Path:
        """The annotations of a phase."""
        return self.hidden / f"{phase_id}.json"

    def upload(self, submission: int) -> Path:
        """A submission as sent."""
        return self.uploads / str(submission)

    def make(self) -> None:
        """All folders, closed to others."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)  # one that was there may be open
        for folder in (self.hidden, self.uploads, self.work):
            folder.mkdir(mode=0o700, exist_ok=True)
        if self.database.exists():
            self.database.chmod(0o600)

    def write_hidden(self, phase_id: int, data: bytes) -> None:
        """The annotations of a phase, readable by their owner alone from the first byte on."""
        handle = os.open(self.truth(phase_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def set_later_uploads_aside(self, last: int) -> int:
        """Moves uploads with numbers above `last` to `uploads.before`; how many."""
        later = [path for path in self.uploads.iterdir() if path.name.isdecimal() and int(path.name) > last]
        if later:
            aside = self.root / f"{self.uploads.name}.before"
            aside.mkdir(mode=0o700, exist_ok=True)
            for path in later:
                path.replace(aside / path.name)
        return len(later)

    def remove_work(self, work: Path) -> None:
        """Removes what a scorer left."""
        shutil.rmtree(work, ignore_errors=True)

    def clear_work(self) -> None:
        """Removes what all scorers left; while none is running."""
        for left in self.work.iterdir():
            self.remove_work(left)
