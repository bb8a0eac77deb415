"""All families of random operators, `FAMILIES[family][kind](rng)`, and which kinds a runtime lacks."""

from elementwise_cases import ELEMENTWISE_FAMILIES
from layer_cases import LAYER_FAMILIES
from move_cases import MOVE_FAMILIES
from recurrent_cases import RECURRENT_FAMILIES
from reduction_cases import REDUCTION_FAMILIES

FAMILIES = LAYER_FAMILIES | ELEMENTWISE_FAMILIES | REDUCTION_FAMILIES | MOVE_FAMILIES | RECURRENT_FAMILIES
TFLM, LITERT = ("tflm",), ("litert-ref", "litert-opt", "xnnpack")
ALL = (*TFLM, *LITERT)
# TFLite-Micro moves unsigned codes in these families only.
UNSIGNED = ("dequantize", "reshape", "squeeze", "broadcast_to", "reverse")


def each(dialects, *kinds):
    """{kind: dialects}."""
    return dict.fromkeys(kinds, dialects)


# Kinds that runtimes have no kernel for: they must refuse them.
LACKING = {family: each(TFLM, "uint8") for family in FAMILIES if "uint8" in FAMILIES[family] and family not in UNSIGNED}
FEATURES = ("coupled", "peephole", "projection", "projection bias", "layer norm", "any", "float32 any")
for _family, _kinds in {
    "conv2d": each(TFLM, "hybrid", "grouped hybrid", "grouped uint8") | each(LITERT, "bare"),
    "depthwise_conv2d": each(TFLM, "hybrid"),
    "fully_connected": each(TFLM, "hybrid", "asymmetric", "int4 rows"),
    "transpose_conv": each(TFLM, "hybrid"),
    "squared_difference": each(LITERT, "int16"),
    "relu_n1_to_1": each(TFLM, "int8", "float32"),
    "elu": each(("litert-ref",), "int8", "float32"),
    "gelu": each(TFLM, "int8", "int16", "float32"),
    "exp": each(TFLM, "int8", "int16"),
    "log": each(TFLM, "int8", "int16"),
    "neg": each(TFLM, "int8", "int16"),
    "sqrt": each(TFLM, "int8", "int16"),
    "requantize": each(TFLM, "uint8 to uint8", "uint8 to int16") | each(ALL, "int16 to uint8"),
    "reduce_max": each(TFLM, "int16"),
    "reduce_min": each(TFLM, "int16"),
    "reduce_prod": each(TFLM, "int8", "int16", "float32"),
    "resize_bilinear": each(TFLM, "int16"),
    "mirror_pad": each(TFLM, "int16"),
    "tile": each(TFLM, "int8", "int16", "float32"),
    "gather": each(TFLM, "int16"),
    "space_to_depth": each(ALL, "int16"),
    "depth_to_space": each(ALL, "int16"),
    "lstm": each(TFLM, *FEATURES) | each(LITERT, "int16", "int16 clipped"),
}.items():
    LACKING[_family] = LACKING.get(_family, {}) | _kinds

# Kinds that are never run, because the runtime does not refuse them as it should.
BROKEN = {
    "transpose_conv": each(TFLM, "narrow"),  # reads 32-bit biases as if they had 64 bits, beyond their end
    "sum": each(("litert-ref",), "int16"),  # reads and writes bytes, and leaves half of the outputs as they were
    "svdf": each(LITERT, "int8") | each(TFLM, "bare"),  # corrupts the heap; follows a null pointer
}


def has(dialect, family, kind):
    """True where a runtime has a kind of an operator."""
    return not any(dialect in table.get(family, {}).get(kind, ()) for table in (LACKING, BROKEN))
