from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from domains.nlp.batching import batches, ordered, padded, shifted
from domains.nlp.corpora.sentences import Pairs, Sentences

fairseq_data = pytest.importorskip("fairseq.data.data_utils")


def sentences(*rows):
    starts = np.cumsum([0, *map(len, rows)])
    return Sentences(np.array([token for row in rows for token in row], dtype=np.int32), starts.astype(np.int64))


def naive(sizes, *, max_tokens, multiple):
    """The rules of fairseq's `batch_by_size`, one sentence at a time: a batch is closed at its last good size."""
    found, batch, tail = [], [], []
    for row, size in enumerate(sizes):
        tail.append(row)
        joined = batch + tail
        if len(joined) * max(sizes[each] for each in joined) > max_tokens:
            found.append(batch)
            if len(tail) * max(sizes[each] for each in tail) > max_tokens:
                found.append(tail[:-1])
                tail = [row]
            batch, tail = tail, []
            assert size
        elif len(joined) < multiple or len(joined) % multiple == 0:
            batch, tail = joined, []
    return [each for each in (*found, batch, tail) if each]


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=120),
    st.integers(3, 90),
    st.sampled_from([1, 4, 8]),
    st.booleans(),
)
def test_batches_follow_fairseqs_rules(sizes, max_tokens, multiple, sort):
    sizes = np.array(sorted(sizes) if sort else sizes)
    found = batches(np.arange(len(sizes)), sizes, max_tokens=max_tokens, multiple=multiple)
    assert [each.tolist() for each in found] == naive(sizes.tolist(), max_tokens=max_tokens, multiple=multiple)
    assert np.concatenate(found).tolist() == list(range(len(sizes)))
    assert all(len(each) * sizes[each].max() <= max_tokens or len(each) == 1 for each in found)


def test_a_sentence_that_is_longer_than_a_batch_is_one_of_its_own_and_none_is_empty():
    for sizes, expected in (
        ([5, 5, 100], [[0, 1], [2]]),
        ([100, 5, 5], [[0], [1, 2]]),
        ([100, 100, 5, 100], [[0], [1], [2], [3]]),
    ):
        found = batches(np.arange(len(sizes)), np.array(sizes), max_tokens=20)
        assert [rows.tolist() for rows in found] == expected


def test_a_tail_that_does_not_fit_with_the_next_sentence_is_a_batch_of_its_own():
    """Four fit and make a good size, two more wait for theirs, and the seventh is as long as a whole batch."""
    found = batches(np.arange(7), np.array([1, 1, 1, 1, 1, 1, 12]), max_tokens=12, multiple=4)
    assert [rows.tolist() for rows in found] == [[0, 1, 2, 3], [4, 5], [6]]
    followed = batches(np.arange(9), np.array([1, 1, 1, 1, 1, 1, 6, 6, 1]), max_tokens=12, multiple=4)
    assert [rows.tolist() for rows in followed] == [[0, 1, 2, 3], [4, 5], [6, 7], [8]]


def test_batches_equal_those_of_the_compiled_extension_where_it_is_there():
    rng = np.random.default_rng(0)
    sizes = np.sort(rng.integers(2, 60, 3_000))
    ours = batches(np.arange(len(sizes)), sizes, max_tokens=700)
    try:
        from fairseq.data.data_utils_fast import batch_by_size_vec
    except ImportError:
        theirs = [np.array(each) for each in naive(sizes.tolist(), max_tokens=700, multiple=8)]
    else:
        theirs = batch_by_size_vec(np.arange(len(sizes)), sizes.astype(np.int64), 700, -1, 8)
    assert len(ours) == len(theirs)
    assert all(one.tolist() == other.tolist() for one, other in zip(ours, theirs, strict=True))


def test_rows_are_in_order_of_source_then_target_length():
    rng = np.random.default_rng(0)
    rows = [[5] * int(size) for size in rng.integers(1, 5, 60)]
    others = [[5] * int(size) for size in rng.integers(1, 5, 60)]
    pairs = Pairs(sentences(*rows), sentences(*others), (), ())
    order = ordered(pairs, np.random.default_rng(1))
    keys = [(len(rows[row]), len(others[row])) for row in order]
    assert sorted(order) == list(range(60))
    assert all(one <= two for one, two in pairwise(keys))
    chance = np.argsort(np.random.default_rng(1).permutation(60))
    assert order.tolist() == sorted(range(60), key=lambda row: (len(rows[row]), len(others[row]), chance[row]))
    assert order.tolist() != ordered(pairs, np.random.default_rng(2)).tolist()


def test_padding_and_shifting_equal_fairseqs_collation():
    text = sentences([4, 5, 2], [6, 2], [7, 8, 9, 2], [2])
    rows = np.array([2, 0, 3])
    tensors = [torch.from_numpy(text[row].astype(np.int64)) for row in rows]
    for left in (True, False):
        assert torch.equal(padded(text, rows, left=left), fairseq_data.collate_tokens(tensors, 1, 2, left_pad=left))
    assert torch.equal(
        shifted(padded(text, rows, left=False)),
        fairseq_data.collate_tokens(tensors, 1, 2, left_pad=False, move_eos_to_beginning=True),
    )
