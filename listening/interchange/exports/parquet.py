"""The tidy table as Parquet: typed columns for pandas, R and DuckDB."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from uuid import UUID

from listening.interchange.exports.tables import Row


def parquet_bytes(rows: Iterable[Row], metadata: Mapping[str, str] | None = None) -> bytes:
    """`rows`, the header first, as a Parquet file; the same rows give the same bytes.

    `metadata` stands in the file's schema. A column without values has the type string.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    header, *body = rows
    columns = []
    for index in range(len(header)):
        values = [str(row[index]) if isinstance(row[index], UUID) else row[index] for row in body]
        if any(isinstance(value, float) for value in values):
            values = [float(value) if isinstance(value, int) else value for value in values]
        known = any(value is not None for value in values)
        columns.append(pa.array(values) if known else pa.array(values, pa.string()))
    target = io.BytesIO()
    table = pa.Table.from_arrays(columns, names=header)
    if metadata:
        table = table.replace_schema_metadata(dict(metadata))
    pq.write_table(table, target, compression="zstd")
    return target.getvalue()
