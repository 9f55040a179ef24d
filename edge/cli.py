"""The `anyecg` command: one small function per verb. Errors are one line; the exit codes are in edge.errors."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from edge.errors import AnyecgError, UsageError
from edge.inputs import annotations_of, no_network, open_input, why_unread
from edge.settings import Settings, from_tables, home, read_toml

PARTLY_DONE = 4
LEAST_BURDEN_PERCENT = 0.05  # less is not told in the one line

app = typer.Typer(
    help="An ECG goes in, a grounded answer comes out. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="TOML file with changed thresholds.")]
RADIO_HELP = "tcp-client:HOST:PORT of an HCI controller; none: this machine's Bluetooth."
LeadName = Annotated[str | None, typer.Option("--lead", help="Read only this lead.")]


def main() -> None:
    """Run the command; one line and an exit code for everything that goes wrong."""
    try:
        sys.exit(app(standalone_mode=False) or 0)  # the exit code of typer.Exit comes back as a value
    except AnyecgError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, asyncio.CancelledError, typer.Abort):
        _fail("Stopped", 130)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")):
            message = getattr(error, "format_message", None)
            _fail(message() if message else str(error), 2)
        if os.environ.get("ANYECG_DEBUG"):
            raise
        _fail(f"Unexpected {type(error).__name__}: {error}. Please report it; ANYECG_DEBUG=1 shows where", 3)


@app.command()
def analyze(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, stored recordings' ids, or demo.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    formats: Annotated[str, typer.Option(help="Comma-separated: html, json, csv, wfdb.")] = "html,json,csv,wfdb",
    jobs: Annotated[int, typer.Option(min=1, help="Recordings analysed at a time.")] = 1,
    lead: LeadName = None,
    settings_file: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Measure recordings and write reports, tables and annotations."""
    from edge.batch import Result, analyse_all
    from edge.report.files import FORMATS, PLANNED

    wanted = tuple(dict.fromkeys(name.strip() for name in formats.split(",") if name.strip()))
    for name in wanted:
        if name not in FORMATS:
            later = " yet" if name in PLANNED else ""
            raise UsageError(f"The format {name!r} is not written{later}", f"Formats: {', '.join(FORMATS)}")
    settings = _settings(settings_file)
    done: list[Result] = []
    failed: list[Result] = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
        bar = progress.add_task("analyse", total=len(inputs))
        for result in analyse_all(inputs, out, wanted, home(), settings, lead, jobs):
            progress.advance(bar)
            if result.problem is None:
                if result.unread and not as_json and not any(r.unread for r in done):
                    typer.echo(result.unread, err=True)
                done.append(result)
            else:
                failed.append(result)
                typer.echo(f"{result.input}: {result.problem}", err=True)
    if as_json:
        document = {
            "schema": "anyecg.batch/1",
            "done": [{"input": r.input, "files": r.files, "summary": r.summary} for r in done],
            "failed": [{"input": r.input, "problem": r.problem} for r in failed],
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        for r in done:
            typer.echo(f"{r.input}: {_headline(r.summary)} -> {', '.join(r.files)}")
    if failed:
        raise typer.Exit(PARTLY_DONE if done else 3)


@app.command()
def ask(
    words: Annotated[list[str], typer.Argument(metavar="INPUT [INPUT] QUESTION")],
    from_: Annotated[str | None, typer.Option("--from", help="ISO 8601, clock time, or offset such as 90s.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="The same forms.")] = None,
    model: Annotated[Path | None, typer.Option("--model", help="Bundle of another language model.")] = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="Plain sentences only.")] = False,
    lead: LeadName = None,
    settings_file: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Ask a question about one recording, or compare two."""
    from edge.ask.answer import Answerer, Source, checked_question
    from edge.ask.model_client import LanguageModel
    from edge.ask.spans import parse_time
    from edge.ask.words import PREFIX
    from edge.models.bundle import SHIPPED, load_bundle

    if not 2 <= len(words) <= 3:
        raise UsageError('Give one or two inputs and a question: anyecg ask INPUT "question"')
    settings = _settings(settings_file)
    *inputs, question = words
    checked_question(question, settings)
    language: LanguageModel | None = None
    if not no_model:
        language = LanguageModel(PREFIX, settings.ask, load_bundle(model or SHIPPED / "words"))
        language.start_in_background()  # it loads while the signal is analysed
    recordings = []
    try:
        for text in inputs:
            recordings.append(open_input(text, home(), lead))
        sources = [Source(r.info, annotations_of(r, settings), r) for r in recordings]
        info = sources[0].info
        unread = [why for source in sources if (why := why_unread(source.info, source.annotations))]
        if unread and not as_json:
            typer.echo(unread[0], err=True)
        document = Answerer(settings, language).ask(
            question,
            sources,
            from_s=parse_time(from_, info) if from_ else None,
            to_s=parse_time(to, info) if to else None,
        )
    finally:
        for recording in recordings:
            recording.close()
        if language is not None:
            language.close()
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    typer.echo(document["answer"])
    for place in document["locations"] or []:
        typer.echo(f"  {place['start_s']:.2f} s to {place['end_s']:.2f} s  {place['label']}")
    span, share = document["span"], 100 * document["analysable_fraction"]
    typer.echo(f"({span['start_s']:.0f} s to {span['end_s']:.0f} s, {share:.0f} % analysable. {document['notice']})")


@app.command()
def run(
    source: Annotated[
        list[str] | None,
        typer.Option(help="ble:ADDRESS, virtual:DEVICE[:INPUT] or replay:INPUT; none: every pinned strap. Repeatable."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file; options given here win over it.")] = None,
    speed: Annotated[float, typer.Option(min=0, help="Multiple of real time; 0 is as fast as possible.")] = 1.0,
    faults: Annotated[Path | None, typer.Option(help="TOML fault script for what is replayed or virtual.")] = None,
    radio: Annotated[str | None, typer.Option(help=RADIO_HELP)] = None,
    broker: Annotated[str | None, typer.Option(help="HOST[:PORT] of a broker; none: an embedded one.")] = None,
    gateway: Annotated[str, typer.Option(help="Gateway's name in the topics.")] = "home",
    device: Annotated[str | None, typer.Option(help="Wearable's name in the topics.")] = None,
    exit_at_end: Annotated[bool, typer.Option("--exit-at-end", help="Stop when the source ends.")] = False,
    no_model: Annotated[bool, typer.Option("--no-model", help="Plain sentences only.")] = False,
) -> None:
    """Run the gateway: keep, analyse, publish and answer over MQTT."""
    from edge.detect.network.session import why_no_network
    from edge.serve.service import RunOptions, options_from, serve

    given: dict[str, Any] = {
        "source": tuple(source or ()), "speed": speed, "faults": faults, "radio": radio, "broker": broker,
        "gateway": gateway, "device": device,
    }  # fmt: skip
    options, settings = options_from(read_toml(config) if config else {}, given, RunOptions())
    if why := why_no_network():
        typer.echo(f"{no_network(why)}.", err=True)
    work = serve(options, settings, home(), typer.echo, exit_at_end=exit_at_end, use_model=not no_model)
    asyncio.run(_until_terminated(work))


@app.command()
def scan(
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to listen.")] = 8.0,
    pin: Annotated[str | None, typer.Option(help="Address to pin: `anyecg run` then records it.")] = None,
    name: Annotated[str | None, typer.Option(help="Name for the pinned strap, as in the topics.")] = None,
    unpin: Annotated[str | None, typer.Option(help="Address to forget; nothing is listened for.")] = None,
    every: Annotated[bool, typer.Option("--all", help="List devices of unknown protocols, too.")] = False,
    radio: Annotated[str | None, typer.Option(help=RADIO_HELP)] = None,
    as_json: Json = False,
) -> None:
    """List the wearables near, with protocol and signal strength, and pin the ones to record."""
    import dataclasses

    from edge.acquire.pins import unpin as forget
    from edge.serve.scanning import scan_and_pin

    if unpin is not None:
        forget(home(), unpin)
        typer.echo(json.dumps({"unpinned": unpin}) if as_json else f"{unpin} is not pinned any more")
        return
    if name is not None and pin is None:
        raise UsageError("--name is for the strap that --pin names")
    found = asyncio.run(scan_and_pin(home(), radio, seconds, pin, name))
    shown = [s for s in found if every or s.protocol or s.pinned]
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(s) for s in shown], ensure_ascii=False))
        return
    for s in shown:
        pinned = f"pinned as {s.pinned}" if s.pinned else "not pinned"
        typer.echo(f"{s.address}  {s.rssi_dbm:4d} dBm  {s.protocol or 'unknown':22} {pinned:24} {s.name}")
    if not shown:
        others = f" ({len(found)} devices of unknown protocols: --all)" if found else ""
        typer.echo(
            f"No wearable was heard in {seconds:g} s{others}. Wet the electrodes, wear the strap, and check that no phone holds it."
        )


@app.command()
def simulate(
    device: Annotated[str, typer.Argument(help="polar-h10, movesense, healthypi, heart-rate, ecg-link …")],
    record: Annotated[str, typer.Option(help="What it plays: a file, a stored recording's id, or demo.")] = "demo",
    faults: Annotated[Path | None, typer.Option(help="TOML fault script.")] = None,
    speed: Annotated[float, typer.Option(min=0.01, help="Multiple of real time.")] = 1.0,
    hci: Annotated[
        str, typer.Option(help="Where other stacks reach it: tcp-server:HOST:PORT.")
    ] = "tcp-server:127.0.0.1:9000",
) -> None:
    """Run a virtual wearable that Bluetooth stacks reach by HCI over TCP."""
    from firmware_bridge.faults import FaultScript, read_fault_script
    from firmware_bridge.simulate import simulate as play

    script = read_fault_script(faults) if faults else FaultScript()
    recording = open_input(record, home())
    try:
        work = play(device, recording, faults=script, speed=speed, hci=hci, say=typer.echo)
        asyncio.run(_until_terminated(work))
    finally:
        recording.close()


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the page and the recording.")] = Path("anyecg-demo"),
    speed: Annotated[float, typer.Option(min=1, help="Multiple of real time.")] = 30.0,
) -> None:
    """Watch the whole system work on a real ECG; no network, no questions, ends by itself."""
    from edge.serve.demo import run_demo

    asyncio.run(run_demo(out, speed, typer.echo))


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="What to measure; `anyecg bench list` names all.")],
    data: Annotated[Path | None, typer.Option(help="Folder with the recordings.")] = None,
    records: Annotated[str, typer.Option(help="Comma-separated records; all by default.")] = "",
    lead: Annotated[int | None, typer.Option(min=0, help="Index of the one lead to read.")] = None,
    folds: Annotated[Path | None, typer.Option(help="Folder of networks with the records each never saw.")] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Run other beat detectors beside it.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here, too.")] = None,
) -> None:
    """Measure accuracy or cost; prints one JSON document."""
    from bench import BENCHES, Options, run_bench
    from bench.document import text_of

    if name == "list":
        for known, about in BENCHES.items():
            typer.echo(f"{known}: {about}")
        return
    chosen = tuple(r.strip() for r in records.split(",") if r.strip())
    text = text_of(run_bench(name, data, chosen, Options(lead, folds, peers)))
    if json_file is not None:
        json_file.write_text(text + "\n", encoding="utf-8")
    typer.echo(text)


@app.command()
def doctor(as_json: Json = False, settings_file: SettingsFile = None) -> None:
    """Say what works on this machine, and what to do about what does not."""
    import dataclasses

    from edge.doctor import examine

    findings = examine(home(), _settings(settings_file))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], ensure_ascii=False))
        return
    for finding in findings:
        typer.echo(f"{finding.level:8} {finding.what}: {finding.detail}")
        if finding.advice:
            typer.echo(f"{'':8} -> {finding.advice}")


async def _until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """Run it; SIGTERM and Ctrl-C end it properly, and asking twice does not disturb that."""
    this, told = asyncio.current_task(), False
    assert this is not None

    def end() -> None:
        nonlocal told
        if told:
            typer.echo("Still closing the recording, a moment", err=True)
        else:
            told = True
            this.cancel()

    with suppress(NotImplementedError):  # systems without it end at once; the broker then publishes the last will
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end)
    await work


def _settings(path: Path | None) -> Settings:
    return from_tables(read_toml(path)) if path else Settings()


def _fail(line: str, code: int) -> None:
    typer.echo(" ".join(line.split()), err=True)
    sys.exit(code)


def _headline(summary: dict[str, Any]) -> str:
    """The main figures in one line."""
    rate, share = summary["rate"]["heart_rate_mean"], summary["quality"]["analysable_share"]["value"]
    told = f"{rate['value']:.0f} bpm" if rate["value"] is not None else f"rate not measurable ({rate['reason']})"
    told += f", {summary['rate']['beat_count']['value'] or 0:.0f} beats"
    ectopy, rhythm = summary["ectopy"], summary["rhythm"]
    kinds = {kind: ectopy[f"{kind}_ectopic_count"]["value"] for kind in ("ventricular", "supraventricular")}
    if None not in kinds.values():
        told += f" ({', '.join(f'{count:.0f} {kind}' for kind, count in kinds.items())})"
    if rhythm["name"] is not None:
        told += f", {rhythm['name']}"
    burden = None if rhythm["af_burden"] is None else rhythm["af_burden"]["value"]
    if burden is not None and burden >= LEAST_BURDEN_PERCENT:
        told += f", AF burden {burden:.{0 if burden >= 10 else 1}f} %"
    return f"{told}, {share or 0:.0f} % analysable"
