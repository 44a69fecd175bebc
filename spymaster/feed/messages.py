"""Records of the small DBN files: definitions and statistics. One decoder for all of them, and for every DBN version.

`databento_dbn` decodes them one by one, as records of version 3 (about 1 us each; a busy day of options has a few
hundred thousand). Orders are another matter: `spymaster.feed.reader`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spymaster.feed.compression import open_stream, require_whole
from spymaster.feed.errors import CorruptFileError, TruncatedFileError, WrongRecordTypeError
from spymaster.feed.metadata import KNOWN_DATASETS, read_metadata, require
from spymaster.market.dbn import UNDEF_TIMESTAMP

if TYPE_CHECKING:
    from databento_dbn import InstrumentDefMsg, StatMsg

_CHUNK_BYTES = 1 << 20
_RECORD_CLASSES = {"definition": "InstrumentDefMsg", "statistics": "StatMsg"}


def read_definitions(
    path: Path, *, datasets: Collection[str] = KNOWN_DATASETS, partition: str | None = None
) -> Iterator[InstrumentDefMsg]:
    """The records of a definition file of any DBN version, as version 3 records, in file order.

    Raises the errors of `MboFile.open` and `MboFile.chunks` that apply to it.
    """
    return _read(path, "definition", datasets, partition)


def read_statistics(
    path: Path, *, datasets: Collection[str] = KNOWN_DATASETS, partition: str | None = None
) -> Iterator[StatMsg]:
    """The records of a statistics file of any DBN version, as version 3 records (64-bit quantities), in file order.

    Raises the errors of `MboFile.open` and `MboFile.chunks` that apply to it.
    """
    return _read(path, "statistics", datasets, partition)


def timestamp(ns: int) -> int | None:
    """A time of a record, None where it is undefined."""
    return None if ns >= UNDEF_TIMESTAMP else ns


def _read(
    path: Path, schema: Literal["definition", "statistics"], datasets: Collection[str], partition: str | None
) -> Iterator[Any]:
    import databento_dbn as dbn
    import zstandard

    require(path, read_metadata(path), schema=schema, datasets=datasets, partition=partition)
    require_whole(path)
    wanted: type = getattr(dbn, _RECORD_CLASSES[schema])
    decoder = dbn.DBNDecoder()
    count = 0
    stream = open_stream(path)
    try:
        while content := stream.read(_CHUNK_BYTES):
            decoder.write(content)
            for record in decoder.decode():
                if isinstance(record, dbn.Metadata):
                    continue
                if not isinstance(record, wanted):
                    message = f"a {type(record).__name__} in a file of schema {schema}"
                    raise WrongRecordTypeError(path, message, partition=partition, record=count)
                yield record
                count += 1
    except (zstandard.ZstdError, dbn.DBNError) as error:
        message = f"damaged {schema} records: {error}"
        raise CorruptFileError(path, message, partition=partition, record=count) from error
    finally:
        stream.close()
    if decoder.buffer():
        message = f"truncated inside a record of schema {schema}"
        raise TruncatedFileError(path, message, partition=partition, record=count)
