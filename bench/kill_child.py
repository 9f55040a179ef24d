"""The process that bench.kill kills: replays the demo ECG into a store and reports each frame handed over."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from edge.acquire.mailbox import Mailbox
from edge.acquire.replay import ReplaySource
from edge.formats.memory import demo_recording
from edge.live import LiveRecording
from edge.pipeline import AnalysisState
from edge.recording.writer import RecordingWriter
from edge.types import Frame, RecordingInfo


async def main(path: Path, speed: float) -> None:
    """Replay into `path` at a multiple of real time."""
    recording = demo_recording()
    info = RecordingInfo(path.stem, recording.info.leads, recording.info.fs_hz, 0, datetime.now(UTC), "store")
    live = LiveRecording(RecordingWriter(path, info), AnalysisState(info.fs_hz))
    print("begun", flush=True)
    mail = Mailbox(1_000_000)
    source = asyncio.create_task(_play(ReplaySource(recording, speed), mail))
    while batch := await mail.batch(1):
        for frame in batch:
            if isinstance(frame, Frame):
                live.take(frame)
                print(frame.first_sample + len(frame.signal_mv), flush=True)
    await source
    live.end()


async def _play(source: ReplaySource, mail: Mailbox) -> None:
    await source.run(mail)
    mail.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
