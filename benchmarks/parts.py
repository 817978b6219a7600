"""A table that grows by blocks: a folder of parquet files, each whole or not there at all.

pandas and every other reader of parquet take the folder for the table. A file's metadata says what
its rows depend on, so that a later run knows whether they still hold.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from inpaintbench.datasets.files import written_whole

KEY, CONTENT = b"inpaintbench_key", b"inpaintbench_content"  # in a file's metadata


def part_path(folder: Path, first: int) -> Path:
    """Where the rows of the block that begins with case number `first` stand."""
    return folder / f"{first:010d}.parquet"


def write_part(table: pd.DataFrame, folder: Path, first: int, key: str) -> None:
    """Write a block's rows, with their key.

    Raises
    ------
    InputError
        If that cannot be, as on a full disk.
    """
    content = pa.Table.from_pandas(table, preserve_index=False)
    about = {**(content.schema.metadata or {}), KEY: key, CONTENT: _hash(content)}
    with written_whole(part_path(folder, first)) as temporary:
        pq.write_table(content.replace_schema_metadata(about), temporary)


def _hash(table: pa.Table) -> str:
    """Hash all values of a table: a damaged file need not look like one."""
    digest = hashlib.sha256()
    for column in table.columns:
        for chunk in column.combine_chunks().to_pylist():
            digest.update(repr(chunk).encode() + b";")
    return digest.hexdigest()


def read_part(folder: Path, first: int) -> pd.DataFrame:
    """Read a block's rows.

    Raises
    ------
    OSError, pyarrow.ArrowException
        If the file is not there or damaged.
    """
    path = part_path(folder, first)
    # Not `read_table`, which would take a part of the path for a column.
    with pq.ParquetFile(path) as file:
        table: pd.DataFrame = file.read().to_pandas()
    return table


def part_key(folder: Path, first: int) -> str | None:
    """Read the key of a block's rows; None if there are none, "" if the file is damaged."""
    path = part_path(folder, first)
    if not path.exists():
        return None
    try:
        with pq.ParquetFile(path) as file:
            about = file.schema_arrow.metadata or {}
            whole = about.get(CONTENT, b"").decode() == _hash(file.read())
            return str(about.get(KEY, b"").decode()) if whole else ""
    except (OSError, pa.ArrowException, UnicodeDecodeError):
        return ""


def has_key(folder: Path, first: int, key: str) -> bool:
    """Whether a block's rows say that they were made with a key; they are not looked at."""
    path = part_path(folder, first)
    return path.exists() and (pq.read_schema(path).metadata or {}).get(KEY) == key.encode()


def read_column(folder: Path, column: str) -> Iterator[pd.Series]:
    """Read a column of a table, part by part in its order."""
    for path in sorted(folder.glob("*.parquet")):
        yield pd.read_parquet(path, columns=[column])[column]
