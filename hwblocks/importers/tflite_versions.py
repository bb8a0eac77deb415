"""The newest version of each TFLite operator that the rules of this package know.

Source: google-ai-edge/LiteRT at f677457, `tflite/core/kernels/register.cc` (max_version of each registration). An
operator's version grows when a type or an option is added to it, so that a newer one may mean what no rule covers.
"""

from __future__ import annotations

from hwblocks.errors import UnsupportedOperatorError
from hwblocks.importers.tflite_file import TfliteModel, TfliteOperator

# Operators by newest version; those that are not listed have version 1 only.
_NEWEST = {
    2: (
        "COS DEPTH_TO_SPACE DIV EXP FAKE_QUANT FLOOR_MOD GREATER L2_NORMALIZATION LEAKY_RELU LESS_EQUAL LOG "
        "LOG_SOFTMAX RANGE REDUCE_PROD SELECT_V2 SIGN SIN SPACE_TO_DEPTH SQRT SQUARED_DIFFERENCE SQUEEZE SUM "
        "WHERE "
    ),
    3: (
        "ARG_MAX ARG_MIN AVERAGE_POOL_2D BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN FLOOR_DIV "
        "GELU GREATER_EQUAL LESS LOGISTIC MAX_POOL_2D MEAN MIRROR_PAD REDUCE_MAX REDUCE_MIN RELU RELU6 RNN "
        "RSQRT SPARSE_TO_DENSE SPLIT_V TANH TILE TOPK_V2 UNIDIRECTIONAL_SEQUENCE_RNN "
    ),
    4: (
        "BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_TO LSTM MAXIMUM MINIMUM NOT_EQUAL RESIZE_BILINEAR "
        "RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SELECT SOFTMAX SPACE_TO_BATCH_ND SVDF "
        "UNIDIRECTIONAL_SEQUENCE_LSTM "
    ),
    5: ("ABS EMBEDDING_LOOKUP EQUAL FILL PACK SPLIT SUB TRANSPOSE_CONV "),
    6: ("ADD DYNAMIC_UPDATE_SLICE GATHER_ND PAD PADV2 QUANTIZE UNPACK "),
    7: ("CONCATENATION DEPTHWISE_CONV_2D "),
    8: ("CONV_2D GATHER MUL SLICE STRIDED_SLICE "),
    9: ("CAST DEQUANTIZE TRANSPOSE "),
    14: ("FULLY_CONNECTED "),
}

NEWEST_VERSION = {name: version for version, names in _NEWEST.items() for name in names.split()}


def check_versions(model: TfliteModel) -> None:
    """One UnsupportedOperatorError for the first operator of a version that is not known."""
    for number, subgraph in enumerate(model.subgraphs):
        for op in subgraph.operators:
            check_version(op, number)


def check_version(op: TfliteOperator, subgraph: int) -> None:
    """Custom operators have no versions of their own."""
    newest = NEWEST_VERSION.get(op.name, 1)
    if not op.name.startswith("CUSTOM:") and not 1 <= op.version <= newest:
        known = "version 1" if newest == 1 else f"versions 1 to {newest}"
        raise UnsupportedOperatorError(
            f"{op.name} (operator {op.index} of subgraph {subgraph}) has version {op.version}; {known} are known"
        )
