# Declarations of csrc for the binding in _core.pyx: structs name only the fields that it sets.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **p, size_t alignment, size_t size)

cdef extern from *:
    """
    #if defined(__linux__)
    #include <sys/mman.h>
    /* A wish: large pages spare translations where weights are read once, from beginning to end. */
    static void hwb_prefer_huge_pages(void *address, size_t size) { (void)madvise(address, size, MADV_HUGEPAGE); }
    #else
    static void hwb_prefer_huge_pages(void *address, size_t size) { (void)address; (void)size; }
    #endif
    """
    void hwb_prefer_huge_pages(void *address, size_t size) noexcept
cdef extern from "hwblocks/accumulator.h" nogil:
    ctypedef struct hwb_channel_counts:
        int64_t steps
    ctypedef struct hwb_block_bound:
        double peak

cdef extern from "hwblocks/ops.h" nogil:
    ctypedef struct hwb_stats:
        int64_t level, saturated, outside, lowest, highest
        hwb_channel_counts *channels
    ctypedef struct hwb_kernels:
        const char *name
        int64_t bytes
    ctypedef struct hwb_op
    ctypedef int (*hwb_run)(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept nogil
    ctypedef struct hwb_op:
        hwb_run run
        const hwb_kernels *kernels
        const void *parameters
        size_t scratch_bytes
    ctypedef struct hwb_cast_numbers:
        pass
    ctypedef struct hwb_cast:
        hwb_cast_numbers n
        const int64_t *bias
        const int32_t *bias32
        const int32_t *multiplier
        const int32_t *shift
        const float *scale32
        const double *scale64
        const int64_t *numerator
        const int64_t *denominator
        const int32_t *left
        const int32_t *factor
        const int32_t *right
        const int64_t *addend
        const int64_t *addend_below
        const int32_t *line_shift
        const float *line_slope
        const float *line_offset
        const float *line_below
    ctypedef struct hwb_lines:
        int32_t *shift
        float *slope
        float *offset
        float *below
    int64_t hwb_find_lines(const hwb_cast *cast, int64_t channels, int64_t bound, const double *slopes,
                           const hwb_lines *lines) noexcept
    ctypedef struct hwb_ends:
        int64_t tail_start
        hwb_cast cast
        hwb_cast tail
    ctypedef struct hwb_conv_numbers:
        pass
    ctypedef struct hwb_placement:
        const int64_t *runs
        const int64_t *starts
    ctypedef struct hwb_conv:
        hwb_conv_numbers n
        hwb_ends ends
        const void *panels
        const int64_t *offsets
        hwb_placement placement
    ctypedef struct hwb_depthwise_numbers:
        pass
    ctypedef struct hwb_depthwise:
        hwb_depthwise_numbers n
        hwb_ends ends
        const void *weights
        const int64_t *offsets
    ctypedef struct hwb_weighted_numbers:
        pass
    ctypedef struct hwb_weighted:
        hwb_weighted_numbers n
        hwb_ends ends
        const int16_t *weights
    ctypedef struct hwb_matmul_numbers:
        pass
    ctypedef struct hwb_matmul:
        hwb_matmul_numbers n
        hwb_ends ends
    ctypedef struct hwb_table_numbers:
        pass
    ctypedef struct hwb_table:
        hwb_table_numbers n
        const void *table
    ctypedef struct hwb_extreme_numbers:
        pass
    ctypedef struct hwb_choice_numbers:
        pass
    ctypedef struct hwb_choice:
        hwb_choice_numbers n
        const int64_t *a_index
        const int64_t *b_index
        const int64_t *constant
    ctypedef struct hwb_dequantize_numbers:
        pass
    ctypedef struct hwb_dequantize:
        hwb_dequantize_numbers n
        const float *reals
        const float *tail_reals
    ctypedef struct hwb_quantize_numbers:
        pass
    ctypedef struct hwb_quantize:
        hwb_quantize_numbers n
        const float *scale32
        const double *scale64
    ctypedef struct hwb_threshold_numbers:
        pass
    ctypedef struct hwb_threshold:
        hwb_threshold_numbers n
        const int32_t *thresholds
        const int32_t *by_level
        const int32_t *flipped
        const int64_t *codes
    ctypedef struct hwb_gather_numbers:
        pass
    ctypedef struct hwb_gather:
        hwb_gather_numbers n
        const int64_t *counts
        const int32_t *which
        const int32_t *element
        const int32_t *lengths
    ctypedef struct hwb_split_numbers:
        pass
    ctypedef struct hwb_split:
        hwb_split_numbers n
        const int64_t *counts
        const int64_t *out_counts
        const int32_t *which
        const int32_t *element
    ctypedef struct hwb_maxpool:
        pass
    ctypedef struct hwb_avgpool_numbers:
        pass
    ctypedef struct hwb_avgpool:
        hwb_avgpool_numbers n
        const int64_t *counts
        const int64_t *ratio
    ctypedef struct hwb_rational_numbers:
        pass
    ctypedef struct hwb_rational:
        hwb_rational_numbers n
        const int64_t *factors
        const int64_t *a_index
        const int64_t *b_index
    ctypedef struct hwb_softmax_numbers:
        pass
    ctypedef struct hwb_softmax:
        hwb_softmax_numbers n
        const int64_t *table
        const int64_t *ratio
    ctypedef struct hwb_runtime_softmax_numbers:
        pass
    ctypedef struct hwb_runtime_softmax:
        hwb_runtime_softmax_numbers n
        const int32_t *table
        const int32_t *second
        const float *powers
        const double *constant
    ctypedef struct hwb_float_softmax_numbers:
        pass
    ctypedef struct hwb_float_softmax:
        hwb_float_softmax_numbers n
        const double *beta
    ctypedef struct hwb_operand_numbers:
        pass
    ctypedef struct hwb_operand:
        hwb_operand_numbers n
        const int32_t *table
        const double *reals
        const int32_t *constant
        const double *real_constant
        const int64_t *index
    ctypedef struct hwb_elements_numbers:
        pass
    ctypedef struct hwb_elements:
        hwb_elements_numbers n
        hwb_ends ends
        hwb_operand a
        hwb_operand b
    ctypedef struct hwb_pairs_op_numbers:
        pass
    ctypedef struct hwb_pairs_op:
        hwb_pairs_op_numbers n
        const int16_t *table
    ctypedef struct hwb_float_sum_numbers:
        pass
    ctypedef struct hwb_float_sum:
        hwb_float_sum_numbers n
        hwb_operand a
        hwb_operand b
    ctypedef struct hwb_reduce_numbers:
        pass
    ctypedef struct hwb_reduce:
        hwb_reduce_numbers n
        hwb_ends ends
    ctypedef struct hwb_float_pool_numbers:
        pass
    ctypedef struct hwb_float_pool:
        hwb_float_pool_numbers n
        const float *divisors
        const float *reals
        const float *constant
    ctypedef struct hwb_svdf_numbers:
        pass
    ctypedef struct hwb_svdf:
        hwb_svdf_numbers n
        hwb_ends newest
        hwb_ends units
        hwb_ends near
        const int16_t *panels
        const int16_t *time
    ctypedef struct hwb_lstm_numbers:
        pass
    ctypedef struct hwb_lstm:
        hwb_lstm_numbers n
        hwb_ends fed
        hwb_ends back
        const int16_t *x_panels
        const int16_t *h_panels
        const int16_t *sigmoid
        const int16_t *tanh
        const int16_t *cell_tanh
    enum:
        HWB_MOST_INPUTS
        HWB_MOST_OUTPUTS
        HWB_OK
        HWB_NAN
    ctypedef struct hwb_step:
        const hwb_op *op
        int32_t inputs
        int32_t *in_ "in"
        int32_t out
        int32_t others
        int32_t *other
    const hwb_kernels *hwb_kernels_of(const char *isa)
    const char *hwb_isa_name(int i)
    size_t hwb_conv_scratch_bytes(const hwb_conv *conv)
    size_t hwb_depthwise_scratch_bytes(const hwb_depthwise *depthwise)
    size_t hwb_matmul_scratch_bytes(const hwb_matmul *matmul)
    size_t hwb_svdf_scratch_bytes(const hwb_svdf *svdf)
    size_t hwb_lstm_scratch_bytes(const hwb_lstm *lstm)
    int hwb_split_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_svdf_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_lstm_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_conv_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_pairs_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept nogil
    int hwb_depthwise_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_weighted_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    size_t hwb_weighted_scratch_bytes(const hwb_weighted *) noexcept
    int hwb_matmul_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_table_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_dequantize_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_quantize_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_extreme_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_choice_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_threshold_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_gather_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_maxpool_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_avgpool_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_rational_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_softmax_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_softmax_fixed_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_softmax_midpoint_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_softmax_float32_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_softmax_float64_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_float_softmax_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_elements_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_float_sum_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_reduce_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    int hwb_float_pool_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept

cdef extern from "hwblocks/threads.h" nogil:
    int64_t HWB_MOST_THREADS

cdef extern from "hwblocks/bands.h" nogil:
    ctypedef struct hwb_band:
        hwb_op op
    int64_t hwb_bands_of(const hwb_step *, int64_t, int64_t) noexcept
    void hwb_bands_fill(hwb_band *, const hwb_step *, int64_t, int64_t, int64_t) noexcept

cdef extern from "hwblocks/samples.h" nogil:
    ctypedef struct hwb_place:
        char *base
        int64_t step
    ctypedef struct hwb_carry:
        int64_t source "from"
        int64_t target "to"
        int64_t bytes
    ctypedef struct hwb_room:
        char *arena
        void *scratch
        void **address
        hwb_stats *stats
    ctypedef struct hwb_counts:
        int64_t saturated, outside, lowest, highest
    ctypedef struct hwb_samples:
        const hwb_step *steps
        int64_t count, slots
        const hwb_place *places
        const hwb_carry *carries
        int64_t carried, least, most, threads
        const hwb_room *rooms
        const hwb_band *bands
        int64_t band_count
    int hwb_samples_run(const hwb_samples *, int64_t, int64_t) noexcept
    hwb_counts hwb_samples_counted(const hwb_samples *, int64_t) noexcept
    void hwb_samples_reset(const hwb_samples *, int64_t) noexcept
    int64_t hwb_samples_tile(const hwb_step *, int64_t) noexcept

cdef extern from "hwblocks/ordered.h" nogil:
    ctypedef struct hwb_ordered_numbers:
        int64_t out_channels
    ctypedef struct hwb_ordered:
        hwb_ordered_numbers n
        hwb_ends ends
        const int16_t *weights
        const int16_t *panels
        const int16_t *skewed
        const int64_t *offsets
        const int32_t *source
        const int64_t *bias
        const int64_t *correction
        const int32_t *bias32
        const int32_t *correction32
        const int32_t *addend32
        const int64_t *unsafe
        const int32_t *channel
        const hwb_block_bound *bounds
        const uint8_t *together
        const int32_t *by_tap
        hwb_placement placement
    ctypedef struct hwb_ordered_matmul_numbers:
        hwb_ordered_numbers sums
    ctypedef struct hwb_ordered_matmul:
        hwb_ordered_matmul_numbers n
        hwb_ends ends
    int hwb_ordered_matmul_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    size_t hwb_ordered_matmul_scratch_bytes(const hwb_ordered_matmul *) noexcept
    int hwb_ordered_run(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept
    size_t hwb_ordered_scratch_bytes(const hwb_ordered *) noexcept
