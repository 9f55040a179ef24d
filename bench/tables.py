"""The README's tables from bench/results: `python -m bench.tables` rewrites them; a test fails while they are stale.

A bench whose result file is not there gives no row.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
SCORES = ("<!-- scores: python -m bench.tables -->", "<!-- end of scores -->")
PEERS = ("<!-- peers: python -m bench.tables -->", "<!-- end of peers -->")
Document = dict[str, Any]
Row = tuple[str, str, str]
"""What, measured, target."""

NOISE_TARGETS = {12: "≥ 99.8 / 99.5 %", 6: "≥ 99 / 97 %, or unreadable", 0: "≥ 96 / 90 %, or unreadable"}
"""By signal-to-noise ratio in dB."""
TOLERANCE_MS = {"P_ON": 10.2, "P_OFF": 12.7, "QRS_ON": 6.5, "QRS_OFF": 11.6, "T_OFF": 30.6}
"""Two standard deviations of experts (CSE working party)."""
TOLERATED = 1.5
"""Times the tolerance that a standard deviation may have."""


def _mitdb(d: Document) -> list[Row]:
    g, records = d["gross"], f"MIT-BIH, {d['records']} records"
    told = [
        (f"QRS Se / +P, one lead, {records}",
         f"{_pair(g, 'qrs_se', 'qrs_pp')} (Se of what was not declared unreadable {_percent(g['qrs_se_readable'])} %; "
         f"{d['unreadable_s']} of {d['scored_s']} s were)", "≥ 99.85 / 99.85 %")
    ]  # fmt: skip
    if "veb_se" in g:
        false, fibrillation = d["false_af"], f"{records}, atrial fibrillation"
        told += [
            (f"{records}, ventricular ectopic beats Se / +P", _pair(g, "veb_se", "veb_pp"), "≥ 94 / 94 %"),
            (f"{records}, supraventricular ectopic beats Se / +P, escape beats counted as such (bxb); as normal",
             f"{_pair(g, 'sveb_se', 'sveb_pp')}; {_pair(g, 'sveb_se_papers', 'sveb_pp_papers')}", "≥ 80 / 70 %"),
            (f"{fibrillation}: episodes Se / +P; duration Se / +P",
             f"{_pair(g, 'af_episode_se', 'af_episode_pp')}; {_pair(g, 'af_duration_se', 'af_duration_pp')}", "–"),
            (f"{fibrillation} called in the {false['records_without_af']} records without it",
             f"{false['minutes']:.1f} min of {false['hours']:.1f} h", "–"),
            (f"{fibrillation}: beats with a P wave in it", f"{_percent(g['false_p_in_af'])} %", "≤ 5 %"),
        ]  # fmt: skip
    return told


def _nstdb(d: Document) -> list[Row]:
    from bench.nstdb import snr_of

    told = []
    for row in d["by_snr"]:
        snr_db = row["snr_db"]
        if row["part"] == "all" and snr_db in NOISE_TARGETS:
            of_it = [r for r in d["rows"] if r["part"] == "all" and snr_of(r["record"])[1] == snr_db]
            unreadable_s = sum(r["unreadable_s"] for r in of_it)
            what = f"QRS Se / +P under electrode-motion noise, {', '.join(r['record'] for r in of_it)}"
            figures = f"{_plain(row['qrs_se'])} / {_plain(row['qrs_pp'])} %"
            readable = f"Se of what was not declared unreadable {_plain(row['qrs_se_readable'])} %"
            told.append((what, f"{figures} ({readable}; {unreadable_s} s were)", NOISE_TARGETS[snr_db]))
    return told


def _cinc2017(d: Document) -> list[Row]:
    share = {row["class"]: _plain(row["unusable_percent"]) for row in d["rows"]}
    told = [
        ("seconds called unusable: CinC 2017 normal / too noisy", f"{share['normal']} / {share['too noisy']} %", "–")
    ]
    if "score_percent" in d:
        what = f"CinC 2017, {d['records']} recordings: mean F1 of normal, fibrillation, other; of fibrillation"
        told.insert(0, (what, f"{_plain(d['score_percent'])}; {_plain(d['f1_percent']['A'])} %", "≥ 83; ≥ 85 %"))
    return told


def _ludb(d: Document) -> list[Row]:
    g, records = d["gross"], f"LUDB, {d['records']} records"
    if "p_f1" not in g:
        return []
    f1 = " / ".join(_percent(g[f"{wave}_f1"]) for wave in ("p", "qrs", "t"))
    sd_ms = {row["point"]: row["sd"] for row in d["errors_ms"] if row["leads"] == "all"}
    points = ", ".join(f"{wave} {edge.lower()}" for wave, edge in (point.split("_") for point in TOLERANCE_MS))
    return [
        (f"{records}, F1 of P / QRS / T", f"{f1} %", "≥ 98 / 99.8 / 99 %"),
        (f"{records}, SD of {points}", f"{', '.join(_plain(sd_ms.get(point)) for point in TOLERANCE_MS)} ms",
         f"≤ {', '.join(_plain(TOLERATED * ms) for ms in TOLERANCE_MS.values())} ms"),
        (f"{records}: beats with a P wave in atrial fibrillation", f"{_percent(g['false_p_in_af'])} %", "≤ 5 %"),
    ]  # fmt: skip


def _cost(d: Document) -> list[Row]:
    told = []
    for row in d["rows"]:
        length = f"{row['hours']:g} h" if row["hours"] <= 24 else f"{row['hours'] / 24:g} days"
        runs = row.get("cpu_s_of_runs", [])
        of_runs = f" (median of {len(runs)}, {min(runs):.1f} to {max(runs):.1f})" if len(runs) > 1 else ""
        target = "30 s, 300 MB" if row["hours"] == 24 else "300 MB, as for 24 h"
        told.append(
            (
                f"`analyze`, {length} of one lead at 250 Hz",
                f"{row['cpu_s']:.1f} s CPU{of_runs}, {row['peak_rss_mb']:.0f} MB",
                target,
            )
        )
    if "parts" in d:
        parts, alone, live = d["parts"], d["beats_alone"], d["live"]
        told += [
            (f"reading {parts['hours']:g} h of it without start-up, CPU by part",
             ", ".join(f"{part} {cpu_s:.1f}" for part, cpu_s in parts["cpu_s"].items()) + " s", "–"),
            (f"beats alone, by rules, {alone['hours']:g} h", f"{alone['cpu_s']['beats']:.1f} s CPU", "2 s"),
            ("reading one lead as it comes in, second by second", f"{live['cpu_percent_of_one_core']} % of one core", "1 %"),
        ]  # fmt: skip
    return told


def _kill(d: Document) -> list[Row]:
    return [
        (
            f"replay killed {d['times']} times (SIGKILL)",
            f"{d['opened']} open, at most {d['lost_s']['max']:.2f} s lacking",
            "all, 1 s",
        )
    ]


def _ask(d: Document) -> list[Row]:
    return [
        ("answer, warm, two cores: first words (median of 20)", f"{d['median_first_words_ms'] / 1000:.2f} s", "0.7 s"),
        ("answer, warm, two cores: all words (median of 20)", f"{d['median_total_ms'] / 1000:.2f} s", "3 s"),
    ]


def _straps(d: Document) -> list[Row]:
    plain = [row for row in d["rows"] if not row["faults"] and "exact" in row]
    faulty = [row for row in d["rows"] if row["faults"] and "exact" in row]
    of_link = [row for row in faulty if "clock_jumps" not in row["kinds"]]
    of_clock = [row for row in faulty if "clock_jumps" in row["kinds"]]
    open_link = [row for row in faulty if row["device"] == "ecg-link"]
    return [
        (f"virtual straps over real ATT traffic, 30 min each ({_names(plain)}): recorded exactly",
         f"{sum(row['exact'] for row in plain)} of {len(plain)}; {sum(row['wrong'] + row['missing'] for row in plain)} samples wrong or missing", "all"),
        (f"the same with {d['faults']} faults of the link each: every sample at its place, samples and gaps exactly the time that passed",
         _exactness(of_link, d), "all"),
        ("the same, and the strap's clock is set, also during silences", _exactness(of_clock, d), "all"),
        ("the open link under both: samples missing that it still held", f"{sum(row['missing'] for row in open_link)}", "0"),
    ]  # fmt: skip


def _load(d: Document) -> list[Row]:
    return [
        (f"{d['straps']} virtual straps at once on one core: lost; packet to disk, p99; CPU per strap",
         f"{d['missing'] + d['dropped']}; {d['stored_ms']['p99']:.0f} ms; {100 * d['cpu_share_per_strap']:.1f} %", "0; 50 ms"),
    ]  # fmt: skip


def _day(d: Document) -> list[Row]:
    rss_mb, time_map_ms = d["rss_mb"], d["time_map_ms"]
    return [
        (f"{d['hours']:.0f} h of one strap at {d['speed']:.0f} times real time: memory after 2 h and at the end; time map, drift and p99",
         f"{rss_mb['after_a_twelfth']:.0f} and {rss_mb['at_the_end']:.0f} MB; {time_map_ms['drift']:.0f} and {time_map_ms['p99']:.0f} ms", "flat; 20 ms"),
    ]  # fmt: skip


def _link(d: Document) -> list[Row]:
    mitdb = next(row for row in d["sets"] if row["set"].startswith("mitdb"))
    return [
        ("open link, bytes against raw 24 bit at MTU 247: MIT-BIH; with a 24-bit front-end's noise (assumed)",
         f"{mitdb['as_recorded_percent']['247']['mean']} %; {mitdb['as_24_bit_front_end_percent']['247']['mean']} %", f"{d['target_percent_at_mtu_247']:.0f} %"),
    ]  # fmt: skip


def _rr(d: Document) -> list[Row]:
    return [
        ("RR-only, 1 % of notifications lost and all up to 4 s late: received intervals kept; false ones per hour",
         f"{d['late']['kept_percent_of_received']} %; {d['late']['false_per_hour']:.0f}", "–"),
    ]  # fmt: skip


def _fuzz(d: Document) -> list[Row]:
    tries = sum(row["inputs"] for row in d["rows"])
    broken = sum(row["broken"] for row in d["rows"])
    return [
        (
            "random and mutated bytes into every decoder: inputs tried; exceptions",
            f"{tries / 1e6:.1f} million; {broken}",
            "0",
        )
    ]


def _planner(d: Document) -> list[Row]:
    share = 100 * d["accuracy"]["n-grams (shipped)"]["target"]
    return [(f"questions understood: target, {d['kept_out']} wordings by another author", f"{share:.1f} %", "–")]


def _words(d: Document) -> list[Row]:
    return [
        (
            "main sentences that the language model rewords and the check lets pass",
            f"{d['passed']} of {d['drafts']}",
            "–",
        )
    ]


MAKERS: dict[str, Callable[[Document], list[Row]]] = {
    "mitdb": _mitdb, "nstdb": _nstdb, "cinc2017": _cinc2017, "ludb": _ludb, "cost": _cost, "kill": _kill, "ask": _ask,
    "straps": _straps, "load": _load, "day": _day, "link": _link, "rr": _rr, "fuzz": _fuzz, "planner": _planner,
    "words": _words,
}  # fmt: skip
"""Result to rows, in the table's order."""


def _names(rows: list[dict[str, Any]]) -> str:
    return ", ".join(row["device"] for row in rows)


def _exactness(rows: list[dict[str, Any]], straps: dict[str, Any]) -> str:
    """How many are exact, and by how much the others' time axis is off."""
    exact = [row for row in rows if row["exact"]]
    off = [
        f"{row['device']} "
        + ("not found" if row["axis_error"] is None else f"{1000 * row['axis_error'] / row['fs_hz']:+.0f} ms")
        for row in rows
        if not row["exact"]
    ]
    text = f"{len(exact)} of {len(rows)}"
    return (
        f"{text}; others at the end {', '.join(off)} (at {straps['faulty_speed']:.0f} times real time)" if off else text
    )


def scores(folder: Path = RESULTS) -> str:
    """The table of scores in Markdown."""
    lines = ["| what | measured | target | command |", "| --- | --- | --- | --- |"]
    found = {name: document for name in MAKERS if (document := _result(folder, name)) is not None}
    for name, document in found.items():
        for what, measured, target in MAKERS[name](document):
            lines.append(f"| {what} | {measured} | {target} | `{document['command']}` |")
    subjects: dict[str, list[str]] = {}
    for name, document in found.items():
        if "subject" in document:
            subjects.setdefault(document["subject"], []).append(name)
    lines += ["", *(f"{', '.join(names)}: {subject}." for subject, names in subjects.items())]
    for machine in [document["machine"] for document in found.values() if "machine" in document][:1]:
        lines.append(f"Measured on {machine['cpus']} cores of an {machine['cpu']}, Python {machine['python']}.")
    return "\n".join(lines)


def peers(folder: Path = RESULTS) -> str:
    """The table of other detectors in Markdown; empty where they were not measured."""
    race, noise = _result(folder, "peers"), _result(folder, "nstdb") or {}
    if race is None:
        return ""
    under_noise = {(row["detector"], row.get("group")): row for row in noise.get("peers", ())}
    groups = [f"{snr_db} dB" for snr_db in NOISE_TARGETS if any(g == f"{snr_db} dB" for _, g in under_noise)]
    head = ["detector", f"QRS Se / +P, MIT-BIH, {race['records']} records, gross", "average"]
    head += [*(f"under noise, {group}" for group in groups), "CPU for 24 h of one lead"]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for row in race["peers"]:
        if "not_installed" in row:
            cells = [row["detector"], "not installed here", *("–" for _ in head[2:])]
        else:
            noisy = (under_noise.get((row["detector"], group)) for group in groups)
            failed = f"; failed on {len(row['failed'])}" if "failed" in row else ""
            cells = [
                f"{row['detector']} {row['version']}",
                _two(row, "qrs_se", "qrs_pp") + failed,
                _two(row, "average_se", "average_pp"),
                *("–" if n is None or "qrs_se" not in n else _two(n, "qrs_se", "qrs_pp") for n in noisy),
                f"{row['cpu_s_per_24_h']:g} s",
            ]
        lines.append("| " + " | ".join(cells) + " |")
    machine, commands = race["machine"], [race["command"], *([noise["command"]] if groups else [])]
    lines += ["", f"{' and '.join(f'`{command}`' for command in commands)}, on one core of an {machine['cpu']}."]
    return "\n".join([*lines, f"The row anyecg: {race['subject']}; its time is that of everything it reads."])


def renewed(readme: str) -> str:
    """The README with the tables of today's results."""
    for (begin, end), table in ((SCORES, scores()), (PEERS, peers())):
        head, found, rest = readme.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"The README has no place for a table: {begin} … {end}")
        readme = "\n".join([f"{head}{begin}", *([table] if table else []), f"{end}{tail}"])
    return readme


def _pair(figures: dict[str, Any], *names: str) -> str:
    return " / ".join(_percent(figures[name]) for name in names) + " %"


def _two(row: dict[str, Any], *names: str) -> str:
    return " / ".join(_plain(row[name]) for name in names) + " %"


def _percent(ratio: dict[str, Any]) -> str:
    return _plain(ratio["percent"])


def _plain(value: float | None) -> str:
    """A figure as measured; a dash where there was nothing to measure it on."""
    return "–" if value is None else f"{value:g}"


def _result(folder: Path, name: str) -> Document | None:
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    document: Document = json.loads(path.read_text(encoding="utf-8"))
    return document


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
