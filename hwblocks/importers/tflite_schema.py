"""TFLite's file schema as data: operators, tensor types, and the fields of every option table.

Facts of the schema that google-ai-edge/LiteRT publishes (`schema.fbs`), in a notation of our own: the fields of a table
stand in the order of their slots as name:type=default; a number before a name is its slot where slots are left out.
"""

from __future__ import annotations

# Operator names in the order of their numbers.
_OPERATORS = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR "
    "FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC "
    "LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX "
    "SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD "
    "UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE "
    "UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE "
    "BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL "
    "LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT "
    "RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT "
    "UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR "
    "LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK "
    "ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 "
    "NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL "
    "PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS "
    "HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE "
    "READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL "
    "GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 "
    "UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE "
    "STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE "
    "STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE "
    "STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG "
    "STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT "
    "STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT "
    "STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL "
    "STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE "
    "STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT "
    "STABLEHLO_CASE "
)

# Tensor types in the order of their numbers.
_TYPES = (
    "float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource "
    "variant uint32 uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2 "
)

OPERATOR_NAMES = tuple(_OPERATORS.split())
TENSOR_TYPES = tuple(_TYPES.split())
PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
KERNELS = ("FULL", "BASIC")
MIRRORS = ("REFLECT", "SYMMETRIC")

# Option tables by the number of builtin_options_type.
OPTIONS: dict[int, str] = {
    1: (
        "padding:padding stride_w:i32 stride_h:i32 fused_activation_function:activation "
        "dilation_w_factor:i32=1 dilation_h_factor:i32=1 quantized_bias_type:i8 "
    ),
    2: (
        "padding:padding stride_w:i32 stride_h:i32 depth_multiplier:i32 fused_activation_function:activation "
        "dilation_w_factor:i32=1 dilation_h_factor:i32=1 "
    ),
    3: "num_channels:i32 num_columns_per_channel:i32s embedding_dim_per_channel:i32s",
    4: "type:i8",  # LSHProjectionOptions
    5: (
        "padding:padding stride_w:i32 stride_h:i32 filter_width:i32 filter_height:i32 "
        "fused_activation_function:activation "
    ),
    6: "rank:i32 fused_activation_function:activation asymmetric_quantize_inputs:bool",  # SVDFOptions
    7: "fused_activation_function:activation asymmetric_quantize_inputs:bool",  # RNNOptions
    8: (
        "fused_activation_function:activation weights_format:i8 keep_num_dims:bool "
        "asymmetric_quantize_inputs:bool quantized_bias_type:i8 quant_spec:u8s "
    ),
    9: "beta:f32",  # SoftmaxOptions
    10: "axis:i32 fused_activation_function:activation",  # ConcatenationOptions
    11: "fused_activation_function:activation pot_scale_int16:bool=1",  # AddOptions
    12: "fused_activation_function:activation",  # L2NormOptions
    13: "radius:i32 bias:f32 alpha:f32 beta:f32",  # LocalResponseNormalizationOptions
    14: (
        "fused_activation_function:activation cell_clip:f32 proj_clip:f32 kernel_type:kernel "
        "asymmetric_quantize_inputs:bool "
    ),
    15: "2.align_corners:bool 3.half_pixel_centers:bool",  # ResizeBilinearOptions
    16: "subgraph:u32",  # CallOptions
    17: "new_shape:i32s",  # ReshapeOptions
    18: "ngram_size:i32 max_skip_size:i32 include_all_ngrams:bool",  # SkipGramOptions
    19: "block_size:i32",  # SpaceToDepthOptions
    20: "combiner:i8",  # EmbeddingLookupSparseOptions
    21: "fused_activation_function:activation",  # MulOptions
    23: "axis:i32 batch_dims:i32",  # GatherOptions
    27: "keep_dims:bool",  # ReducerOptions
    28: "fused_activation_function:activation pot_scale_int16:bool=1",  # SubOptions
    29: "fused_activation_function:activation",  # DivOptions
    30: "squeeze_dims:i32s",  # SqueezeOptions
    31: "time_major:bool fused_activation_function:activation asymmetric_quantize_inputs:bool",
    32: ("begin_mask:i32 end_mask:i32 ellipsis_mask:i32 new_axis_mask:i32 shrink_axis_mask:i32 offset:bool "),
    35: "num_splits:i32",  # SplitOptions
    37: "in_data_type:i8 out_data_type:i8",  # CastOptions
    40: "output_type:i8",  # ArgMaxOptions
    49: ("padding:padding stride_w:i32 stride_h:i32 fused_activation_function:activation quantized_bias_type:i8 "),
    50: "validate_indices:bool",  # SparseToDenseOptions
    55: "out_type:i8",  # ShapeOptions
    57: "output_type:i8",  # ArgMinOptions
    58: "min:f32 max:f32 num_bits:i32 narrow_range:bool",  # FakeQuantOptions
    59: "values_count:i32 axis:i32",  # PackOptions
    61: "axis:i32",  # OneHotOptions
    64: "num:i32 axis:i32",  # UnpackOptions
    69: (
        "fused_activation_function:activation cell_clip:f32 proj_clip:f32 merge_outputs:bool "
        "time_major:bool=1 asymmetric_quantize_inputs:bool "
    ),
    70: ("time_major:bool fused_activation_function:activation merge_outputs:bool asymmetric_quantize_inputs:bool "),
    71: (
        "fused_activation_function:activation cell_clip:f32 proj_clip:f32 time_major:bool "
        "asymmetric_quantize_inputs:bool diagonal_recurrent_tensors:bool "
    ),
    74: "align_corners:bool half_pixel_centers:bool",  # ResizeNearestNeighborOptions
    75: "alpha:f32",  # LeakyReluOptions
    77: "mode:mirror",  # MirrorPadOptions
    79: "num_splits:i32",  # SplitVOptions
    80: "idx_out_type:i8=2",  # UniqueOptions
    87: "seq_dim:i32 batch_dim:i32",  # ReverseSequenceOptions
    92: "then_subgraph_index:i32 else_subgraph_index:i32",  # IfOptions
    93: "cond_subgraph_index:i32 body_subgraph_index:i32",  # WhileOptions
    94: "block_size:i32",  # DepthToSpaceOptions
    101: "adj_x:bool adj_y:bool asymmetric_quantize_inputs:bool",  # BatchMatMulOptions
    102: "exclusive:bool reverse:bool",  # CumsumOptions
    103: "init_subgraph_index:i32",  # CallOnceOptions
    106: (
        "padding:padding stride_d:i32 stride_w:i32 stride_h:i32 fused_activation_function:activation "
        "dilation_d_factor:i32=1 dilation_w_factor:i32=1 dilation_h_factor:i32=1 "
    ),
    107: "table_id:i32 key_dtype:i8 value_dtype:i8",  # HashtableOptions
    111: "container:str shared_name:str",  # VarHandleOptions
    114: "seed:i64 seed2:i64",  # RandomOptions
    115: "boundaries:f32s",  # BucketizeOptions
    116: "approximate:bool",  # GeluOptions
}

# Option tables by the number of builtin_options_2_type.
OPTIONS_2: dict[int, str] = {
    1: "dimension:i64",  # StablehloConcatenateOptions
    2: "broadcast_dimensions:i64s",  # StablehloBroadcastInDimOptions
    3: "start_indices:i64s limit_indices:i64s strides:i64s",  # StablehloSliceOptions
    4: (
        "window_strides:i64s padding:padding lhs_dilation:i64s rhs_dilation:i64s window_reversal:u8s "
        "input_batch_dimension:i64 input_feature_dimension:i64 input_spatial_dimensions:i64s "
        "kernel_input_feature_dimension:i64 kernel_output_feature_dimension:i64 "
        "kernel_spatial_dimensions:i64s output_batch_dimension:i64 output_feature_dimension:i64 "
        "output_spatial_dimensions:i64s feature_group_count:i64 batch_group_count:i64 "
    ),
    5: (
        "call_target_name:str has_side_effect:bool backend_config:str api_version:i32 "
        "called_computations:i32s custom_attributes:u8s "
    ),
    6: "dimensions:i64s body_subgraph_index:i32",  # StablehloReduceOptions
    7: (
        "indices_are_sorted:bool update_window_dims:i64s inserted_window_dims:i64s "
        "scatter_dims_to_operand_dims:i64s index_vector_dim:i64 unique_indices:bool "
        "update_computation_subgraph_index:i32 "
    ),
    8: "comparison_direction:u32 compare_type:u32",  # StablehloCompareOptions
    9: "slice_sizes:i64s",  # StablehloDynamicSliceOptions
    10: "edge_padding_low:i64s edge_padding_high:i64s interior_padding:i64s",  # StablehloPadOptions
    11: "iota_dimension:i64",  # StablehloIotaOptions
    12: (
        "lhs_batching_dimensions:i64s rhs_batching_dimensions:i64s lhs_contracting_dimensions:i64s "
        "rhs_contracting_dimensions:i64s "
    ),
    13: (
        "window_dimensions:i64s window_strides:i64s base_dilations:i64s window_dilations:i64s padding:padding "
        "body_subgraph_index:i32 "
    ),
    14: "dimension:i64 is_stable:bool comparator_subgraph_index:i32",  # StablehloSortOptions
    15: "cond_subgraph_index:i32 body_subgraph_index:i32",  # StablehloWhileOptions
    16: (
        "offset_dims:i64s collapsed_slice_dims:i64s start_index_map:i64s index_vector_dim:i64 "
        "slice_sizes:i64s indices_are_sorted:bool "
    ),
    17: "permutation:i64s",  # StablehloTransposeOptions
    19: "algorithm:i8",  # StablehloRngBitGeneratorOptions
    20: "reduce_function:i32",  # ReduceWindowOptions
    21: (
        "name:str decomposition_subgraph_index:i32 composite_attributes:u8s composite_attributes_format:i8 version:i32 "
    ),
    23: "branch_subgraph_indices:i32s",  # StablehloCaseOptions
}
