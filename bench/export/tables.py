"""The frame of a campaign, one row per boot and metric, as CSV and as Parquet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from bench.analysis.analyse import to_samples
from bench.analysis.frame import sample_frame
from bench.analysis.results import Sample
from bench.export.base import Column, Export, Table
from bench.util.errors import HostUnfitError
from bench.util.extras import adding

if TYPE_CHECKING:
    import pandas as pd


def csv(table: Table) -> Export:
    """``boots.csv``. ``OpenedCampaign.frame`` describes the columns; ``value`` is empty where ``censored`` is true.

    With ``--boots`` the file holds the complete boots asked for and the failed boots before the last of them, without
    warm-ups.
    """
    return Export({"boots.csv": _frame(table).to_csv(index=False, lineterminator="\n").encode()})


def parquet(table: Table) -> Export:
    """``boots.parquet``: the same columns with types. ``value`` is null where ``censored`` is true.

    Raises:
        HostUnfitError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise HostUnfitError(
            "Parquet files are written by pyarrow, which is not installed",
            hint=f"{adding('pyarrow')}, or export as csv",
        ) from None
    content = pa.Table.from_pandas(_frame(table), preserve_index=False)
    manifest = table.manifest
    known = {"campaign": manifest.id, "fingerprint": table.fingerprint, "boxbench": manifest.boxbench}
    content = content.replace_schema_metadata({f"boxbench.{name}": value for name, value in known.items()})
    buffer = io.BytesIO()
    pq.write_table(content, buffer, compression="zstd")
    return Export({"boots.parquet": buffer.getvalue()})


def _frame(table: Table) -> pd.DataFrame:
    frame = sample_frame(_samples(table), table.records)
    # Infinity is a convention of ours: in files a censored value is a missing one.
    frame["value"] = frame["value"].where(~frame["censored"])
    return frame


def _samples(table: Table) -> tuple[Sample, ...]:
    wanted = {(column.cell.key, column.metric): column for column in table.columns}
    return tuple(
        sample
        for sample in to_samples(table.manifest, table.records)
        if (column := wanted.get((sample.cell.key, sample.metric))) is not None and _within(sample, column, table.boots)
    )


def _within(sample: Sample, column: Column, boots: int | None) -> bool:
    return boots is None or (not sample.warmup and (column.last is None or sample.block <= column.last))
