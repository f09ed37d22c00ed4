from bench.lab import mixed


def test_the_fewer_are_spread_evenly_between_the_others():
    many, few = [{"n": number} for number in range(9)], [{"few": number} for number in range(3)]

    assert [next(iter(one)) for one in mixed(many, few)] == [*["n", "n", "few", "n"] * 3]
    assert mixed(many, []) == many
