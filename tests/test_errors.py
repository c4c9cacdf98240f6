"""amidst.errors: messages name file, record and rule; exit codes tell misuse from findings."""

from __future__ import annotations

import pytest

from amidst import errors


def test_a_data_error_names_what_is_known() -> None:
    assert str(errors.DataError("box is empty")) == "box is empty [format]"
    error = errors.DataError("box is empty", file="a.json", record="annotation 0", rule="degenerate-box")
    assert str(error) == "a.json: annotation 0: box is empty [degenerate-box]"
    assert (error.file, error.record, error.rule) == ("a.json", "annotation 0", "degenerate-box")


def test_a_missing_extra_says_how_to_install_it() -> None:
    assert "pip install 'amidst[train]'" in str(errors.MissingExtra("torch", "train"))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.ConfigError, 2),
        (errors.UnknownRecord, 2),
        (errors.DataError, 1),
        (errors.AnswerError, 1),
        (errors.StoreUnavailable, 1),
        (errors.ImageError, 1),
        (errors.WeightsError, 1),
        (errors.NonFiniteLoss, 1),
        (errors.OutOfMemory, 1),
    ],
)
def test_exit_codes(kind: type[errors.AmidstError], code: int) -> None:
    assert kind("message").exit_code == code
    assert issubclass(kind, errors.AmidstError)
