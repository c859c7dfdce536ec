"""``corruptlab audit``: findings printed, written, and told by the exit code."""

import gzip
import re
import struct
from pathlib import Path

import pytest

from corruptlab.experiments import AuditReport
from tests.cli.shown import check_mistake, main


def test_an_audit_prints_its_findings_and_writes_them(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--workers", "0", "--sample", "7", "--seed", "3", "--out", str(out)]
    assert main(["audit", "--data", data, *options]) == 0
    shown, told = capsys.readouterr()
    assert "ok       train: items" in shown
    assert "7 items sampled with seed 3, 0 workers" in shown
    assert f"wrote {out / 'report.json'}" in told
    report = AuditReport.load(out / "report.json")
    assert (report.ok, report.sample, report.seed, report.workers) == (True, 7, 3, 0)
    assert str(report) in shown


def test_without_out_nothing_is_written(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["audit", "--data", data, "--workers", "0"]) == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert "wrote" not in capsys.readouterr().err


def test_an_error_is_told_by_the_exit_code(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(data.partition(":")[2])
    images = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    test = struct.pack(">IIII", 2051, 40, 6, 6) + images[: 40 * 36]  # test images trained on
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(test))
    assert main(["audit", "--data", data, "--workers", "0", "--out", str(tmp_path / "o")]) == 1
    assert "error    both: overlap" in capsys.readouterr().out
    assert not AuditReport.load(tmp_path / "o" / "report.json").ok


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--sample", "0"], "--sample must be at least 1, got 0."),
        (["--workers", "-1"], "--workers must be at least 0, got -1."),
        (["--seed", "-1"], "--seed must be at least 0, got -1."),
        (["--out", "/dev/null/x"], "--out must be a folder to write to, got '/dev/null/x'"),
    ],
)
def test_mistakes_are_one_line(
    typed: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *typed]) == 2
    check_mistake(capsys, re.escape(message))


def test_tables_are_audited_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{n},{n * n % 7},{n % 2}\n" for n in range(60))
    (tmp_path / "rows.csv").write_text(f"a,b,label\n{rows}")
    assert main(["audit", "--data", f"csv:{tmp_path / 'rows.csv'}", "--workers", "0"]) == 0
    assert "2 classes with 6 examples each" in " ".join(capsys.readouterr().out.split())
