"""The standard's own cases through the backend interface: the committed table says which of them do not pass, and why."""

from __future__ import annotations

import unittest

import onnx
import onnx.backend.test
import onnx_node_cases as node_cases
import pytest

import rawseg.onnx.backend

VERSION = node_cases.TABLE.read_text().split()[2].rstrip(":")
# A table of another version's cases would be another table.
pytestmark = pytest.mark.skipif(
    onnx.__version__ != VERSION, reason=f"node_cases.txt is of onnx {VERSION}, not {onnx.__version__}"
)


def assert_as_in_table(cases):
    table = node_cases.table()
    wrong = {
        case.name: (found, table.get(case.name, ""))
        for case in cases
        if (found := node_cases.outcome(case)) != table.get(case.name, "")
    }
    assert wrong == {}, "found, and what node_cases.txt says"


def test_cases_of_nodes_are_as_the_table_says():
    cases = node_cases.written_cases(slow=False)
    assert len(cases) > 1500
    assert_as_in_table(cases)


def test_cases_of_files_are_as_the_table_says():
    cases = list(node_cases.stored_cases())
    assert len(cases) == 140
    assert_as_in_table(cases)


def test_the_table_gives_few_reasons():
    reasons = set(node_cases.table().values())
    known = ("volumes", "other values", "operator set 1", "no operator ", "no dtype ", "no sequence", "no optional")
    assert {reason for reason in reasons if not reason.startswith(known)} == set()
    # Random zeros are of another generator; the others are explained beside the operators.
    assert sorted(name for name, reason in node_cases.table().items() if reason == "other values") == [
        "test_attention_4d_causal_fp16",  # two of 192 halves round the other way
        "test_attention_4d_causal_fp16_expanded",
        "test_basic_deform_conv_with_padding",  # 2.4e-7 beside a tolerance of 1e-7: points go by way of -1 to 1 in float32
        "test_roialign_mode_max",  # expects the largest weighted corner; the standard's text says the largest sample
        "test_training_dropout",
        "test_training_dropout_default",
        "test_training_dropout_default_mask",
        "test_training_dropout_mask",
    ]


@pytest.mark.release
def test_all_cases_are_as_the_table_says():
    cases = [*node_cases.written_cases(slow=True), *node_cases.stored_cases()]
    assert_as_in_table(cases)
    assert set(node_cases.table()) <= {case.name for case in cases}


@pytest.mark.release
def test_the_standards_own_runner_accepts_the_backend():
    runner = onnx.backend.test.BackendTest(rawseg.onnx.backend, __name__)
    runner.include("test_(conv|maxpool_2d|averagepool_2d|resize|batchnorm)_.*_cpu")
    runner.exclude("_3d|conv_transpose_3d|convtranspose_3d|convinteger")
    result = unittest.TestResult()
    runner.test_suite.run(result)
    assert result.errors == result.failures == []
    assert result.testsRun - len(result.skipped) > 50
