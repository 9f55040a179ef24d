"""The README's score table from bench/results: `python -m bench.tables` rewrites it; a test fails while it is stale."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
BEGIN, END = "<!-- scores: python -m bench.tables -->", "<!-- end of scores -->"


def rows() -> list[tuple[str, str, str, str]]:
    """What, measured, target, command."""
    cost, kill, ask, beats, planner = (_result(name) for name in ("cost", "kill", "ask", "beats", "planner"))
    words, quality = _result("words"), _result("quality")
    straps, load, one_day, link, rr, fuzz = (_result(name) for name in ("straps", "load", "day", "link", "rr", "fuzz"))
    plain = [row for row in straps["rows"] if not row["faults"] and "exact" in row]
    faulty = [row for row in straps["rows"] if row["faults"] and "exact" in row]
    of_link = [row for row in faulty if "clock_jumps" not in row["kinds"]]
    of_clock = [row for row in faulty if "clock_jumps" in row["kinds"]]
    open_link = [row for row in faulty if row["device"] == "ecg-link"]
    mitdb = next(row for row in link["sets"] if row["set"].startswith("mitdb"))
    tries = sum(row["inputs"] for row in fuzz["rows"])
    day, fortnight = cost["rows"]
    bare = beats["gross_of_bare_sleepecg"]
    share = {row["class"]: row["unusable_percent"] for row in quality["rows"]}
    accuracy = planner["accuracy"]["n-grams (shipped)"]
    return [
        ("QRS, MIT-BIH DS1 (22 records, first lead), gross Se / +P",
         f"{beats['gross']['se_percent']} / {beats['gross']['pp_percent']} % (bare sleepecg {bare['se_percent']} / {bare['pp_percent']})", "–",
         beats["command"]),
        ("`analyze`, 24 h of one lead at 250 Hz", f"{day['cpu_s']:.1f} s CPU, {day['peak_rss_mb']:.0f} MB", "20 s, 300 MB", cost["command"]),
        ("`analyze`, 14 days of it", f"{fortnight['cpu_s']:.0f} s CPU, {fortnight['peak_rss_mb']:.0f} MB", "300 MB, as for 24 h", cost["command"]),
        (f"replay killed {kill['times']} times (SIGKILL)", f"{kill['opened']} open, at most {kill['lost_s']['max']:.2f} s lacking", "all, 1 s", kill["command"]),
        ("answer, warm, two cores: first words (median of 20)", f"{ask['median_first_words_ms'] / 1000:.2f} s", "0.7 s", ask["command"]),
        ("answer, warm, two cores: all words (median of 20)", f"{ask['median_total_ms'] / 1000:.2f} s", "3 s", ask["command"]),
        (f"virtual straps over real ATT traffic, 30 min each ({_names(plain)}): recorded exactly",
         f"{sum(row['exact'] for row in plain)} of {len(plain)}; {sum(row['wrong'] + row['missing'] for row in plain)} samples wrong or missing", "all", straps["command"]),
        (f"the same with {straps['faults']} faults of the link each: every sample at its place, samples and gaps exactly the time that passed",
         _exactness(of_link, straps), "all", straps["command"]),
        ("the same, and the strap's clock is set, also during silences", _exactness(of_clock, straps), "all", straps["command"]),
        ("the open link under both: samples missing that it still held", f"{sum(row['missing'] for row in open_link)}", "0", straps["command"]),
        (f"{load['straps']} virtual straps at once on one core: lost; packet to disk, p99; CPU per strap",
         f"{load['missing'] + load['dropped']}; {load['stored_ms']['p99']:.0f} ms; {100 * load['cpu_share_per_strap']:.1f} %", "0; 50 ms", load["command"]),
        (f"{one_day['hours']:.0f} h of one strap at {one_day['speed']:.0f} times real time: memory after 2 h and at the end; time map, drift and p99",
         f"{one_day['rss_mb']['after_a_twelfth']:.0f} and {one_day['rss_mb']['at_the_end']:.0f} MB; {one_day['time_map_ms']['drift']:.0f} and {one_day['time_map_ms']['p99']:.0f} ms", "flat; 20 ms", one_day["command"]),
        ("open link, bytes against raw 24 bit at MTU 247: MIT-BIH; with a 24-bit front-end's noise (assumed)",
         f"{mitdb['as_recorded_percent']['247']['mean']} %; {mitdb['as_24_bit_front_end_percent']['247']['mean']} %", f"{link['target_percent_at_mtu_247']:.0f} %", link["command"]),
        ("RR-only, 1 % of notifications lost and all up to 4 s late: received intervals kept; false ones per hour",
         f"{rr['late']['kept_percent_of_received']} %; {rr['late']['false_per_hour']:.0f}", "–", rr["command"]),
        ("random and mutated bytes into every decoder: inputs tried; exceptions", f"{tries / 1e6:.1f} million; {sum(row['broken'] for row in fuzz['rows'])}", "0", fuzz["command"]),
        (f"questions understood: target, {planner['kept_out']} wordings by another author", f"{100 * accuracy['target']:.1f} %", "–", planner["command"]),
        ("main sentences that the language model rewords and the check lets pass", f"{words['passed']} of {words['drafts']}", "–", words["command"]),
        ("seconds called unusable: CinC 2017 normal / too noisy", f"{share['normal']} / {share['too noisy']} %", "–", quality["command"]),
    ]  # fmt: skip


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


def table() -> str:
    """The table in Markdown."""
    lines = ["| what | measured | target | command |", "| --- | --- | --- | --- |"]
    lines += [f"| {what} | {measured} | {target} | `{command}` |" for what, measured, target, command in rows()]
    machine = _result("cost")["machine"]
    return "\n".join(
        [
            *lines,
            "",
            f"Measured on {machine['cpus']} cores of an {machine['cpu']}, Python {machine['python']}.",
        ]
    )


def renewed(readme: str) -> str:
    """The README with the table of today's results."""
    head, _, rest = readme.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def _result(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return document


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
