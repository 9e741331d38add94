"""The long table, one row per boot and metric: CSV for people, Parquet for programs."""

from __future__ import annotations

import io

from bench.analysis.analyse import metric_frame, to_samples
from bench.analysis.results import Sample
from bench.export.base import Column, Export, Table
from bench.util.errors import HostUnfitError


def csv(table: Table) -> Export:
    """``value`` is empty where the boot failed or timed out: ``censored`` is true there.

    Of a cut campaign (``--boots``) the rows are those of the complete boots asked for and of what failed before the
    last of them; warm-ups are in a whole one only.
    """
    frame = metric_frame(_samples(table))
    frame["value"] = frame["value"].where(~frame["censored"])
    return Export({"boots.csv": frame.to_csv(index=False, lineterminator="\n").encode()})


def parquet(table: Table) -> Export:
    """The same columns, typed. ``value`` is null where ``censored``.

    Raises:
        HostUnfitError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise HostUnfitError(
            "Parquet files are written by pyarrow, which is not installed",
            hint="pip install 'boxbench[parquet]', or export as csv",
        ) from None
    frame = metric_frame(_samples(table))
    frame["value"] = frame["value"].where(~frame["censored"])
    content = pa.Table.from_pandas(frame, preserve_index=False)
    manifest = table.manifest
    known = {"campaign": manifest.id, "fingerprint": table.fingerprint, "boxbench": manifest.boxbench}
    content = content.replace_schema_metadata({f"boxbench.{name}": value for name, value in known.items()})
    buffer = io.BytesIO()
    pq.write_table(content, buffer, compression="zstd")
    return Export({"boots.parquet": buffer.getvalue()})


def _samples(table: Table) -> tuple[Sample, ...]:
    wanted = {(column.cell.key, column.metric): column for column in table.columns}
    return tuple(
        sample
        for sample in to_samples(table.manifest, table.records)
        if (column := wanted.get((sample.cell.key, sample.metric))) is not None and _within(sample, column, table.boots)
    )


def _within(sample: Sample, column: Column, boots: int | None) -> bool:
    return boots is None or (not sample.warmup and (column.last is None or sample.block <= column.last))
