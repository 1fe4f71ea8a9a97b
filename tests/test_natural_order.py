"""How names are sorted, in all lists of them."""

from compare_gan.errors import unknown_name
from compare_gan.natural_order import natural_key


def test_numbers_in_names_are_sorted_as_numbers():
    names = ["10", "9", "1", "007", "7", "b10", "b9x2", "b9x10", "a", "Z", "-1", "1" * 5000]
    assert sorted(names, key=natural_key) == [
        "1", "007", "7", "9", "10", "1" * 5000, "-1", "Z", "a", "b9x2", "b9x10", "b10",
    ]  # fmt: skip


def test_names_without_digits_are_sorted_as_before():
    names = ["T-shirt/top", "bag", "Bag", "Ankle boot", "ähre", "犬"]
    assert sorted(names, key=natural_key) == sorted(names)


def test_known_names_are_listed_in_natural_order():
    text = str(unknown_name("class", "x", ["cat", "10", "2", "1"]))
    assert text == "Unknown class 'x'. Known: 1, 2, 10, cat."
