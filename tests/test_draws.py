"""The randomness under everything: laws, an independent Philox, and golden vectors."""

import hashlib
import pickle
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.stats import chisquare, kstest, norm

from corruptlab import Draws
from corruptlab._draws import _half_normals

# Algorithm 1, written down once; a change here is a new algorithm and a new version of it.
GOLDEN_WORDS = [2929153678761663333, 12165774202322071252, 14567356622652625130]
GOLDEN_UNIFORM = [0.1587897391028651, 0.6595079410062846, 0.7896979848825538]
GOLDEN_INTEGERS = [1, 6, 7, 6, 2, 8, 7, 9, 1, 5, 1, 3]
GOLDEN_PERMUTATION = [[6, 2, 5, 4, 7, 1, 3, 0]]
GOLDEN_NORMALS = [
    [
        -0.9298830032348633,
        -0.4056445360183716,
        -1.2541899681091309,
        -0.5519080758094788,
        -0.8814826011657715,
    ]
]
GOLDEN_DIGESTS = {1024: "84c0e9651f636eee", 3072: "7b505056f03434da"}
GOLDEN_LARGE_SEED = [[5373019770226748845]]

MASK = (1 << 64) - 1


def naive_philox(counter: int, key: tuple[int, int]) -> list[int]:
    """Philox4x64-10 as Salmon et al. 2011 print it, on Python integers."""
    x = [counter & MASK, counter >> 64 & MASK, 0, 0]
    k0, k1 = key
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
        x = [(b >> 64) ^ x[1] ^ k0, b & MASK, (a >> 64) ^ x[3] ^ k1, a & MASK]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return x


def naive_word(seed: int, stream: str, example: int, j: int, width: int) -> int:
    digest = hashlib.sha256(f"corruptlab/1/{seed}/0/{stream}".encode()).digest()
    key = (int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little"))
    position = example * width + j
    return naive_philox(position // 4 + 1, key)[position % 4]  # NumPy counts up before it draws


@pytest.mark.parametrize("width", [1, 3, 4, 7])
def test_words_equal_an_independent_philox(width: int) -> None:
    ids = [0, 1, 2, 5, 300, 2**40, 2**62]
    expected = [[naive_word(9, "s", i, j, width) for j in range(width)] for i in ids]
    assert_array_equal(Draws(9).words("s", ids, width), np.array(expected, np.uint64))


def test_the_counter_goes_on_beyond_64_bits() -> None:
    far = 2**62 + 3
    found = Draws(7).words("s", [far], 20)[0].tolist()  # from block 5 * 2**62 + 15 on
    assert found == [naive_word(7, "s", far, j, 20) for j in range(20)]


def test_golden_vectors_hold() -> None:
    draws = Draws(seed=0)
    assert draws.words("golden", [0, 1, 2])[:, 0].tolist() == GOLDEN_WORDS
    assert draws.uniform("golden", [0, 1, 2]).tolist() == GOLDEN_UNIFORM
    assert draws.integers("golden", range(12), high=10).tolist() == GOLDEN_INTEGERS
    assert draws.permutations("golden", [3], 8).tolist() == GOLDEN_PERMUTATION
    assert draws.normals("golden", [3], 5).tolist() == GOLDEN_NORMALS
    assert Draws(seed=10**30, repeat=2).words("golden", [7]).tolist() == GOLDEN_LARGE_SEED


def test_normal_table_is_the_golden_one() -> None:
    digest = hashlib.sha256(_half_normals().astype("<f4").tobytes()).hexdigest()
    assert digest == "dfdb399543b1ac6e4d1d912ee78c6c4a887fba09462a409b98081dfbc7543be3"


@pytest.mark.parametrize("width", [1, 5, 1000])
def test_words_follow_the_example_and_not_its_position(width: int) -> None:
    whole = Draws(1).words("s", np.arange(3000 // width + 20), width)
    picked = np.array([17, 0, 3, 3, 19, 2])
    assert_array_equal(Draws(1).words("s", picked, width), whole[picked])
    assert_array_equal(Draws(1).words("s", picked[:1], width), whole[picked[:1]])


def test_far_apart_ids_agree_with_single_reads() -> None:
    ids = np.array([10**12, 5, 4000, 5, 10**6])
    single = np.concatenate([Draws(1).words("s", [i]) for i in ids])
    assert_array_equal(Draws(1).words("s", ids), single)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("n", [31, 33, 5000])
def test_many_ids_far_apart_agree_with_single_reads(n: int, width: int) -> None:
    ids = np.random.default_rng(n).integers(0, (1 << 62) // width, n)
    ids[-5:] = 0, 1, 2, 3, (1 << 62) // width - 1
    words = Draws(5).words("scattered", ids, width)
    for i in (*range(0, n, 1 + n // 50), n - 5, n - 4, n - 3, n - 2, n - 1):
        assert_array_equal(words[i], Draws(5).words("scattered", [ids[i]], width)[0])


def test_seed_stream_and_repeat_each_change_the_words() -> None:
    base = Draws(0).words("s", range(4))
    for other in (Draws(1).words("s", range(4)), Draws(0).words("t", range(4)),
                  Draws(0, repeat=1).words("s", range(4))):  # fmt: skip
        assert not (base == other).any()


def test_several_uniform_numbers_are_the_leading_bits_of_the_words() -> None:
    draws, ids = Draws(3), [4, 0, 9]
    shares = draws.words("u", ids, 5).astype(object) // 2**11 / 2**53  # Python's own integers
    assert_array_equal(draws.uniforms("u", ids, 5), shares.astype(np.float64))
    assert_array_equal(draws.uniforms("u", ids, 1)[:, 0], draws.uniform("u", ids))


def test_uniform_numbers_follow_the_uniform_law() -> None:
    assert kstest(Draws(2).uniform("u", range(100_000)), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("high", [1, 2, 10, 1000, 2**31])
def test_integers_equal_the_exact_product(high: int) -> None:
    words = Draws(3).words("i", range(500))[:, 0].tolist()
    expected = [word * high >> 64 for word in words]
    assert Draws(3).integers("i", range(500), high).tolist() == expected


def test_integers_follow_the_uniform_law() -> None:
    counts = np.bincount(Draws(4).integers("i", range(100_000), 10), minlength=10)
    assert chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 65_536, 65_537])
def test_permutations_hold_every_position_once(size: int) -> None:
    rows = Draws(5).permutations("p", [0, 9], size)
    assert rows.dtype == np.int64
    assert_array_equal(np.sort(rows, axis=1), np.tile(np.arange(size), (2, 1)))


def test_permutations_order_positions_by_their_words() -> None:
    words = Draws(5).words("p", [4], 50)[0]
    assert_array_equal(Draws(5).permutations("p", [4], 50)[0], np.argsort(words))


@pytest.mark.parametrize("size", [2, 511, 512, 3072, 65_536])
def test_permutations_equal_a_sort_of_words_and_positions(size: int) -> None:
    # Of each word, the lowest bits give way to the position, as the docstring says.
    bits = (size - 1).bit_length()
    for words, found in zip(
        Draws(3).words("p", [7, 0], size).tolist(),
        Draws(3).permutations("p", [7, 0], size).tolist(),
        strict=True,
    ):
        assert found == sorted(range(size), key=lambda i: (words[i] >> bits, i))


def test_golden_permutations_of_the_size_of_images_hold() -> None:
    digests = {
        size: hashlib.sha256(
            Draws(3).permutations("p", [0, 5, 6, 9, 2], size).astype("<i8").tobytes()
        ).hexdigest()[:16]
        for size in (1024, 3072)
    }
    assert digests == GOLDEN_DIGESTS


def test_all_permutations_of_four_are_equally_likely() -> None:
    rows = Draws(6).permutations("p", range(48_000), 4)
    codes = rows @ np.array([64, 16, 4, 1])
    assert chisquare(np.unique(codes, return_counts=True)[1]).pvalue > 1e-4
    assert len(np.unique(codes)) == 24


def test_normals_follow_the_normal_law() -> None:
    z = Draws(7).normals("z", range(100), 2001).ravel()
    assert z.dtype == np.float32
    assert kstest(z, "norm").pvalue > 1e-4
    assert (
        kstest(z[1:] * z[:-1], np.random.default_rng(0).normal(size=(2, 10**5)).prod(0)).pvalue
        > 1e-4
    )


def test_normal_law_is_within_its_stated_distance() -> None:
    half = _half_normals().astype(np.float64)
    for x in np.linspace(-4, 4, 33):
        cdf = np.searchsorted(half, x - half, side="right").mean() / len(half)
        assert abs(cdf - norm.cdf(x)) <= 2**-16
    assert half.mean() == 0
    assert abs(2 * half.var() - 1) < 1e-8
    assert 2 * half.max() < 6.2


def test_tails_are_those_of_the_normal_law() -> None:
    z = Draws(8).normals("z", range(200), 10_000)
    beyond = int((np.abs(z) > 4).sum())
    expected = 2 * norm.sf(4) * z.size  # 127: a Poisson count
    assert abs(beyond - expected) < 4 * np.sqrt(expected)


def test_global_generators_are_neither_read_nor_moved() -> None:
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index]  # noqa: NPY002
    Draws(0).normals("z", [0], 4)
    assert_array_equal(np.random.get_state()[1], before[0])  # type: ignore[index]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_threads_do_not_disturb_each_other() -> None:
    expected = Draws(0).words("s", range(1000), 50)
    results: list[bool] = []

    def read() -> None:
        for i in range(300):
            results.append(bool((Draws(0).words("s", [i], 50) == expected[i]).all()))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 1200
    assert all(results)


def test_draws_survive_pickling_and_compare_by_value() -> None:
    assert pickle.loads(pickle.dumps(Draws(3, repeat=1))) == Draws(int(np.int64(3)), repeat=1)


def test_no_examples_give_no_words() -> None:
    assert Draws(0).words("s", [], 3).shape == (0, 3)
    assert Draws(0).permutations("s", [], 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("seed", "kind", "message"),
    [
        (-1, ValueError, r"^`seed` must be at least 0, got -1\.$"),
        (1.5, TypeError, r"^`seed` must be an integer, got 1\.5\.$"),
        ("a", TypeError, r"^`seed` must be an integer, got 'a'\.$"),
        (None, TypeError, r"^`seed` must be an integer, got None\.$"),
    ],
)
def test_bad_seed_is_quoted(seed: int, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Draws(seed)


@pytest.mark.parametrize(
    ("ids", "kind", "message"),
    [
        ([-1], ValueError, r"^`ids` must be at least 0, got -1\.$"),
        ([0.5], TypeError, r"^`ids` must be integers, got float64\.$"),
        ([[1]], ValueError, r"^`ids` must be one-dimensional, got shape \(1, 1\)\.$"),
    ],
)
def test_bad_ids_are_quoted(ids: list[int], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Draws(0).words("s", ids)


def test_bad_width_and_high_are_quoted() -> None:
    with pytest.raises(ValueError, match=r"^`width` must be at least 1, got 0\.$"):
        Draws(0).words("s", [1], 0)
    with pytest.raises(ValueError, match=r"^`high` must lie in 1 \.\. 2\*\*31, got 0\.$"):
        Draws(0).integers("s", [1], 0)
