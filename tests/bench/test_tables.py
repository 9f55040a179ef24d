"""The README says what bench/results say."""

from bench.tables import ROOT, renewed


def test_the_readme_shows_the_scores_of_the_result_files() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert renewed(readme) == readme, "run: python -m bench.tables"
