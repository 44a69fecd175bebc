"""A day of more than 3,000 options and 20 million messages, against the slow book on a sample of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.chain import blocks, chain_file, listed, records
from spymaster_tests.book.slow_chain import SlowChain
from spymaster_tests.book.test_chain import COLUMNS

MESSAGES = 20_000_000
SAMPLE = 40


@pytest.mark.slow
def test_a_large_day_is_that_of_a_slow_book_on_a_sample_of_its_options(tmp_path: Path):
    path = chain_file(tmp_path, MESSAGES // 2, seed=7)
    ids = listed(path)
    assert len(ids) > 3_000
    sample = np.sort(np.random.default_rng(11).choice(ids, SAMPLE, replace=False)).astype(np.int64)
    chosen, total = [], 0
    for chunk in records(path):
        chosen.append(chunk[np.isin(chunk["instrument_id"], sample)])
        total += len(chunk)
    assert total > 0.9 * MESSAGES
    slow = SlowChain(sample.tolist())
    slow.feed(np.concatenate(chosen))
    assert len(slow.rows) > 10_000
    of_sample = []
    for block in blocks(records(path), ids):
        ours = np.isin(block["instrument_id"], sample)
        of_sample += zip(*(block[name][ours].tolist() for name in COLUMNS), strict=True)
    assert of_sample == slow.rows
