"""Keywords that a subclass passes on to its base."""

import pytest

from compare_gan.config.keywords import check_keywords, parameters
from compare_gan.errors import UserError


class Base:
    def __init__(self, a, b=1):
        pass


class Passing(Base):
    def __init__(self, c, *, d=2, **options):
        super().__init__(**options)


class Closed(Passing):
    def __init__(self, e):
        super().__init__(1)


def test_parameters_of_bases_count_only_where_they_are_passed_on():
    assert set(parameters(Base)) == {"a", "b"}
    assert set(parameters(Passing)) == {"a", "b", "c", "d"}
    assert parameters(Closed) == ["e"]


def test_unknown_keyword_is_reported_with_the_known_ones():
    check_keywords(Passing, ["a", "d"])
    with pytest.raises(UserError, match=r"Passing has no parameter 'x'\. Known: a, b, c, d\."):
        check_keywords(Passing, ["a", "x"])
