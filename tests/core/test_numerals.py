"""Negative numbers are written with a minus sign, and nothing else is changed."""

import pytest

from engine.core.numerals import minus


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-0.18 (95 % interval -0.53 to 0.17)", "−0.18 (95 % interval −0.53 to 0.17)"),
        ("The difference (-.5) is", "The difference (−.5) is"),
        ("0.10 [-0.08, 0.28]", "0.10 [−0.08, 0.28]"),
        ("-0.00", "0.00"),
        ("-0 %", "0 %"),
        ("[-0.001, -0.0]", "[−0.001, 0.0]"),
        ("-0.05", "−0.05"),
        ("-1e-05", "−1e-05"),
        ("synthetic - real", "synthetic - real"),
        ("Age: [70-80), ICD-9, 2015-01-01, P-1 and 18-30", "Age: [70-80), ICD-9, 2015-01-01, P-1 and 18-30"),
        ("−0.3", "−0.3"),
        ("", ""),
    ],
)
def test_negative_numbers_have_a_minus_sign_and_hyphens_stay(text: str, expected: str) -> None:
    assert minus(text) == expected


def test_what_has_its_signs_is_not_changed_again() -> None:
    once = minus("-0.18 to -0.2")
    assert minus(once) == once
