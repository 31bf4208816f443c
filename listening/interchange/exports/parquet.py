"""The tidy table as Parquet: typed columns for pandas, R and DuckDB."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from uuid import UUID

from listening.interchange.exports.tables import Row

#: Rows that are held as Python's objects, which take ten times what Arrow's arrays do.
_ROWS_AT_ONCE = 10_000


def parquet_bytes(rows: Iterable[Row], metadata: Mapping[str, str] | None = None) -> bytes:
    """`rows`, the header first, as a Parquet file; the same rows give the same bytes.

    `metadata` stands in the file's schema. A column without values has the type string.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = iter(rows)
    header = next(source)
    parts = []
    while some := list(islice(source, _ROWS_AT_ONCE)):
        columns = [_column(pa, [row[index] for row in some]) for index in range(len(header))]
        parts.append(pa.Table.from_arrays(columns, names=header))
    empty = pa.schema([(name, pa.null()) for name in header]).empty_table()
    # One array a column, of the type that suits all parts: the file does not depend on where they begin.
    table = pa.concat_tables(parts or [empty], promote_options="permissive").combine_chunks()
    text = [pa.field(f.name, pa.string() if pa.types.is_null(f.type) else f.type) for f in table.schema]
    table = table.cast(pa.schema(text))
    target = io.BytesIO()
    if metadata:
        table = table.replace_schema_metadata(dict(metadata))
    pq.write_table(table, target, compression="zstd")
    return target.getvalue()


def _column(pa: Any, values: list[Any]) -> Any:
    """Values of a column as an array; of the type null without any."""
    values = [str(value) if isinstance(value, UUID) else value for value in values]
    if any(isinstance(value, float) for value in values):
        values = [float(value) if isinstance(value, int) else value for value in values]
    return pa.array(values)
