/* Ops: one bound node each, run on n samples at once; and the program that runs a list of them.

   Every op reads inputs [n, elements of one sample] and writes y [n, elements], contiguous, channels last. Inputs and
   output must not overlap. An op of several outputs takes the array of their addresses (void *const *) as y. Numbers come first in each struct, in the order that numerics/kernels/binding.py writes. */
#ifndef HWBLOCKS_OPS_H
#define HWBLOCKS_OPS_H

#include <hwblocks/kernels.h>
#include <hwblocks/lines.h>

typedef struct hwb_op hwb_op;
typedef int (*hwb_run)(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

struct hwb_op {
  hwb_run run;
  const hwb_kernels *kernels;
  const void *parameters;
  size_t scratch_bytes; /* for any n; 64-byte aligned */
};

/* How products are summed: int16 operands in 32 or 64 bits, or with every pair saturated to 16 bits; uint8 inputs
   (s8 with 128 added) and int8 weights in 32 bits, the bias taking off what the inputs' zero points add; int16 inputs
   and two int8 weights in a word in 32 bits. */
enum hwb_sums { HWB_SUMS_S32 = 0, HWB_SUMS_S64, HWB_SUMS_SAT16, HWB_SUMS_BYTES, HWB_SUMS_MIXED };

/* Where a sample lies in its padded plane, and the first element of each window, where these are no two plain axes. runs:
   (first element in the plane, first element of the sample, elements) each. */
typedef struct {
  const int64_t *runs, *starts;
} hwb_placement;

/* Convolution with constant weights [O, kh, kw, C / groups]; a linear layer is a 1×1 kernel over rows. */
typedef struct {
  int64_t x_dtype, x_zero, height, width, channels;
  int64_t out_height, out_width, out_channels;
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int64_t groups, sums, flush;
  /* how weights are packed: taps of `run` values each (a whole kernel row where that is contiguous), in `steps` steps */
  int64_t taps, run, steps;
  int64_t padded_height, padded_width;
  int64_t pad_value;          /* what padding holds, as the kernels see inputs */
  int64_t copied, copied_run; /* taps of `copied_run` inputs each to copy side by side, so that pairs cross them; or 0 */
  int64_t places;             /* runs of the placement; 0 where two plain axes say where a sample lies */
  int64_t single;             /* 1: one output channel, and constants of 16 equal ones */
} hwb_conv_numbers;

typedef struct {
  hwb_conv_numbers n;
  hwb_ends ends;
  const void *panels;     /* [groups][panels of 16 outputs][taps][steps][16][2] int16, or [4] int8, or [8][2] int16 of two */
  const int64_t *offsets; /* elements from an output position's first input to each tap */
  hwb_placement placement;
} hwb_conv;

int hwb_conv_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_conv_scratch_bytes(const void *parameters);

/* Depthwise convolution: one input channel per group, `multiplier` outputs each. Input rows are taken two (int16) or
   four (uint8) at a time as columns of 16 channels; a term is one kernel column of one such set of rows. With `shared`
   2 a pair of output rows reads the same columns, the second by weights moved down by one row. */
typedef struct {
  int64_t x_dtype, x_zero, height, width, channels;
  int64_t out_height, out_width, multiplier;
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int64_t sums, padded_width, sets, shared;
  int64_t moved; /* sets by which the next group of `shared` output rows begins later; `sets` where it shares none */
  int64_t pad_code; /* the stored code of padding; sums are of codes as stored (s8 as bytes + 128), the bias holds zeros */
} hwb_depthwise_numbers;

typedef struct {
  hwb_depthwise_numbers n;
  hwb_ends ends;
  const void *weights;    /* [shared][blocks of 16 channels][sets][kernel_w][16][2] int16, or [4] int8 */
  const int64_t *offsets; /* [sets][terms] bytes from a position's first column to the column of each term, the sets
                             turned by 0, 1, ... places */
} hwb_depthwise;

int hwb_depthwise_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_depthwise_scratch_bytes(const void *parameters);

/* y[c] = cast(Σ over rows of x[t, c] · w[t, c]) for x [terms, channels] of s8, u8 or s16; the bias takes off what the
   zero point adds. Totals must fit 32 bits. */
typedef struct {
  int64_t x_dtype, terms, channels;
} hwb_weighted_numbers;

typedef struct {
  hwb_weighted_numbers n;
  hwb_ends ends;
  const int16_t *weights; /* as in hwb_weighted_rows */
} hwb_weighted;

int hwb_weighted_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_weighted_scratch_bytes(const void *parameters);

/* Matrix product of two run-time operands. */
typedef struct {
  int64_t a_dtype, a_zero, b_dtype, b_zero;
  int64_t batch, b_batch, m, k, n;
  int64_t sums, flush;
} hwb_matmul_numbers;

typedef struct {
  hwb_matmul_numbers n;
  hwb_ends ends;
} hwb_matmul;

int hwb_matmul_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_matmul_scratch_bytes(const void *parameters);

/* y = table[x − lowest of x_dtype]; table entries are stored in out_dtype. */
typedef struct {
  int64_t x_dtype, out_dtype, count;
} hwb_table_numbers;

typedef struct {
  hwb_table_numbers n;
  const void *table;
} hwb_table;

int hwb_table_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y[o, i] = the largest (or smallest) of x[o, r, i] over r, for x [outer, reduced, inner]; reduced ≥ 1. */
typedef struct {
  int64_t dtype, outer, reduced, inner, largest;
} hwb_extreme_numbers;

int hwb_extreme_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y[i] = the larger (or smaller) of a[a_index[i]] and b[b_index[i]], limited to clamp_lo … clamp_hi. */
typedef struct {
  int64_t dtype, count, a_count, b_count, clamp_lo, clamp_hi, largest;
} hwb_choice_numbers;

typedef struct {
  hwb_choice_numbers n;
  const int64_t *a_index, *b_index; /* NULL: element i */
  const int64_t *constant;          /* b of every output element, or NULL */
} hwb_choice;

int hwb_choice_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* Codes to float32: y = reals[x − x_lowest], from element `head` of each sample on tail_reals[x − x_lowest]. */
typedef struct {
  int64_t x_dtype, x_lowest, count, head;
} hwb_dequantize_numbers;

typedef struct {
  hwb_dequantize_numbers n;
  const float *reals, *tail_reals;
} hwb_dequantize;

int hwb_dequantize_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

enum hwb_scaling { HWB_DIVIDE = 0, HWB_RECIPROCAL, HWB_DIVIDE64 };

/* How a float becomes a code; see numerics/edge.py. quick: 1 where the vector loop serves the rule: codes of at most 16
   bits, divide or reciprocal, half_even or half_away, the zero point after. */
typedef struct {
  int64_t scaling, rounding, inside, lowest_nan, wrap_far, quick;
} hwb_edge_rule;

/* float32 to codes: y = limited(round(x scaled by 1 / scale) + zero_point), elements from `head` of each sample on by
   `tail`. Codes of at most 32 bits. Values that leave lo … hi count as saturated. A NaN without a code: HWB_NAN. */
typedef struct {
  int64_t out_dtype, count, head, zero_point, lo, hi, clamp_lo, clamp_hi;
  hwb_edge_rule rule, tail;
} hwb_quantize_numbers;

typedef struct {
  hwb_quantize_numbers n;
  const float *scale32;  /* scale, 1 / scale in float32 */
  const double *scale64; /* scale */
} hwb_quantize;

int hwb_quantize_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y[..., c] = codes[#{i : x[..., c] ≥ thresholds[c, i]}]: x [n, count] of at most 32 bits, `count` a multiple of
   `channels`; thresholds [rows, levels] sorted, rows 1 or `channels`, and once more as by_level [levels, rows];
   flipped [channels] or NULL: levels − count there; codes [levels + 1]. Nothing saturates. */
typedef struct {
  int64_t x_dtype, out_dtype, count, channels, rows, levels;
} hwb_threshold_numbers;

typedef struct {
  hwb_threshold_numbers n;
  const int32_t *thresholds, *by_level, *flipped;
  const int64_t *codes;
} hwb_threshold;

int hwb_threshold_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y[i] = inputs[which[i]][element[i]], or fill where which is −1. With lengths, entry i stands for lengths[i] neighbours
   from element[i] on; `entries` of them make `count` elements. */
typedef struct {
  int64_t dtype, count, entries, inputs, fill;
} hwb_gather_numbers;

typedef struct {
  hwb_gather_numbers n;
  const int64_t *counts; /* elements of each input in one sample */
  const int32_t *which, *element, *lengths; /* lengths NULL: every entry is one element */
} hwb_gather;

int hwb_gather_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* The same to several outputs: those of output o follow those of output o − 1 in `which` and `element`. */
typedef struct {
  int64_t dtype, outputs, fill;
} hwb_split_numbers;

typedef struct {
  hwb_split_numbers n;
  const int64_t *counts, *out_counts; /* elements of each input and output in one sample */
  const int32_t *which, *element;
} hwb_split;

int hwb_split_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* Windows of poolings. */
typedef struct {
  int64_t x_dtype, height, width, channels, out_height, out_width;
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
} hwb_window;

typedef struct {
  hwb_window w;
  int64_t lowest;
} hwb_maxpool;

int hwb_maxpool_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* The end of an exact rational op: round, add the zero point, limit. Uses the cast's number fields
   rounding, zero_point, lo, hi, clamp_lo, clamp_hi, out_dtype. */
/* The sum of a window's codes fits 32 bits. */
typedef struct {
  hwb_window w;
  hwb_cast_numbers end;
  int64_t x_zero;
} hwb_avgpool_numbers;

typedef struct {
  hwb_avgpool_numbers n;
  const int64_t *counts; /* divisor of each window */
  const int64_t *ratio;  /* numerator, denominator: two words each, low first */
} hwb_avgpool;

int hwb_avgpool_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y = round((a·A + b·B + a·b·P + C) / D) + zero point; b from an input, from constants of one sample, or absent. */
typedef struct {
  hwb_cast_numbers end;
  int64_t a_dtype, a_zero, b_dtype, b_zero, has_b, count, a_count, b_count;
} hwb_rational_numbers;

typedef struct {
  hwb_rational_numbers n;
  const int64_t *factors; /* A, B, P, C, D: two words each, low first */
  const int64_t *a_index, *b_index;
  const int64_t *b_constant; /* b of each output element, zero point taken off; NULL: an input, or no b */
} hwb_rational;

int hwb_rational_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y = round(T · num / (S · den)) + zero point along rows, T = table[max − x], S = Σ T. */
typedef struct {
  hwb_cast_numbers end;
  int64_t x_dtype, rows, length;
} hwb_softmax_numbers;

typedef struct {
  hwb_softmax_numbers n;
  const int64_t *table;
  const int64_t *ratio; /* numerator, denominator: two words each, low first */
} hwb_softmax;

int hwb_softmax_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* Which elements of a sample count: byte index[i] of its mask, i itself where index is NULL, is not 0 for element i.
   constant: the mask of every sample; NULL: an input of `count` bytes a sample. */
typedef struct {
  int64_t count;
  const int64_t *index;
  const uint8_t *constant;
} hwb_mask;

/* Softmax of the kept elements of each row, 0 for the others; a row without kept elements is 0.
   in: x, then the mask where `keep` is NULL. The rest as hwb_softmax. */
typedef struct {
  hwb_cast_numbers end;
  int64_t x_dtype, rows, length, keep_count;
} hwb_masked_softmax_numbers;

typedef struct {
  hwb_masked_softmax_numbers n;
  const int64_t *table;
  const int64_t *ratio; /* numerator, denominator: two words each, low first */
  const int64_t *keep_index;
  const uint8_t *keep;
} hwb_masked_softmax;

int hwb_masked_softmax_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                           hwb_stats *stats);

/* y[i] = a[i] where the mask keeps i, else b[i], for `count` elements of one sample. in: mask, a, b, each where it is
   no constant. a_index, b_index: which input element each output reads, NULL when they are the same. */
typedef struct {
  int64_t dtype, count, keep_count, a_count, b_count;
} hwb_select_numbers;

typedef struct {
  hwb_select_numbers n;
  const int64_t *keep_index, *a_index, *b_index;
  const uint8_t *keep;
  const int64_t *a, *b; /* of every output element */
} hwb_select;

int hwb_select_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y = round(t) + zero point, limited: softmax as runtimes compute it. table: one entry for each max − x. */
typedef struct {
  hwb_cast_numbers end;
  int64_t x_dtype, rows, length;
  int64_t bits; /* fixed only: width of the output */
} hwb_runtime_softmax_numbers;

typedef struct {
  hwb_runtime_softmax_numbers n;
  const int32_t *table;   /* fixed: e^-d in Q0.31, 0 where it is not summed; midpoint: e^-d in 16 bits */
  const int32_t *second;  /* fixed: the terms of the sum in Q12.19; midpoint: 513 entries of 1 / (1 + x) */
  const float *powers;    /* float32, float64 */
  const double *constant; /* float32: the output's scale; float64: steps of the output's unit */
} hwb_runtime_softmax;

/* gemmlowp's fixed point: t = (e^-d · (1 / Σ)) by Newton's reciprocal. length <= 4096; no scratch. */
int hwb_softmax_fixed_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
/* 16-bit tables of e^x and 1 / (1 + x), the latter interpolated. length <= 65536. */
int hwb_softmax_midpoint_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                             hwb_stats *stats);
/* t = half_away(p · (1 / (Σ · scale))) in float32, Σ in index order. */
int hwb_softmax_float32_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                            hwb_stats *stats);
/* t = half_even(p · steps / Σ) in float64, Σ in index order in float32. */
int hwb_softmax_float64_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                            hwb_stats *stats);

/* y = e^(beta · (x − max)) / Σ, or x − max − ln Σ e^(x − max), along rows of float32 in exponential.h's arithmetic, Σ in
   index order. A row whose largest is not finite, or that holds a NaN, becomes NaN. length >= 1; no scratch. */
typedef struct {
  int64_t rows, length, logarithm;
} hwb_float_softmax_numbers;

typedef struct {
  hwb_float_softmax_numbers n;
  const double *beta; /* finite, above 0 */
} hwb_float_softmax;

int hwb_float_softmax_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                          hwb_stats *stats);

/* One operand of an element-wise op: run-time codes (table entry, or code minus zero), or a constant per element. */
typedef struct {
  int64_t dtype, zero, lowest, count; /* lowest code of the storage type; elements of a sample */
  int64_t is_constant, rest; /* where the tail's entries of the table begin, 0 where they are the same */
} hwb_operand_numbers;

typedef struct {
  hwb_operand_numbers n;
  const int32_t *table;    /* value of each code of the storage type, or NULL: code − zero */
  const double *reals;     /* the same of hwb_float_sum */
  const int32_t *constant; /* one value per output element */
  const double *real_constant;
  const int64_t *index; /* which element of the operand each output element reads, or NULL */
} hwb_operand;

/* y = cast(a), cast(a + b), cast(a · b) or cast((a + b)²), element by element; elements from ends.tail_start on of each row of `row`
   (a part of count) by the tail. Slopes: cast(a) for a >= 0, else tail(a · b). Every value fits 32 bits, and every sum or product too unless `wide`. The cast's arrays hold 16 equal entries.
   Run-time operands are in[0], in[1] in order; a is one. */
enum hwb_combination { HWB_ALONE = 0, HWB_SUM, HWB_PRODUCT, HWB_SQUARE, HWB_SLOPES };

typedef struct {
  int64_t combination, count, wide, row;
} hwb_elements_numbers;

typedef struct {
  hwb_elements_numbers n;
  hwb_ends ends;
  hwb_operand a, b;
} hwb_elements;

int hwb_elements_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* One or two operands of 8-bit codes element by element (one meets itself): by a table of every pair where there is
   one, else by the affine form. The table holds rounded values, not yet limited, at [a − lowest][b − lowest]. */
typedef struct {
  hwb_pairs_numbers p;
  int64_t count, inputs;
} hwb_pairs_op_numbers;

typedef struct {
  hwb_pairs_op_numbers n;
  const int16_t *table;
} hwb_pairs_op;

int hwb_pairs_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y = half_even(float32(a + b)), limited, of reals in double that carry scales and zero points; |a + b| < 2^31. */
typedef struct {
  hwb_cast_numbers end;
  int64_t count;
} hwb_float_sum_numbers;

typedef struct {
  hwb_float_sum_numbers n;
  hwb_operand a, b;
} hwb_float_sum;

int hwb_float_sum_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y[o, i] = cast(Σ over r of x[o, r, i]) for x [outer, reduced, inner]; the bias holds what zero points add.
   Exact while every sum fits 32 bits (wide: 64). */
typedef struct {
  int64_t x_dtype, outer, reduced, inner, wide;
} hwb_reduce_numbers;

typedef struct {
  hwb_reduce_numbers n;
  hwb_ends ends;
} hwb_reduce;

int hwb_reduce_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* Average pooling in float32: y = half_even(Σ reals / count / scale + zero point), taps in window order. */
typedef struct {
  hwb_window w;
  hwb_cast_numbers end;
  int64_t lowest; /* code of the storage type */
} hwb_float_pool_numbers;

typedef struct {
  hwb_float_pool_numbers n;
  const float *divisors; /* of each window */
  const float *reals;    /* value of each code of the storage type */
  const float *constant; /* output scale, output zero point */
} hwb_float_pool;

int hwb_float_pool_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* Which sums of an SVDF's units are cast as 32-bit ones: all, as they fit; those with totals from -2^30 on, below 2^30;
   all, as the cast reads the lowest 32 bits alone. */
enum hwb_reach { HWB_FITTING = 0, HWB_NEAR_TOTALS, HWB_LOWEST_BITS };

/* Recurrent ops: a filter memory (SVDF) and gates (LSTM), weights packed as panels of 16 outputs, one tap, pairs of k. */
typedef struct {
  int64_t x_dtype, x_zero, inputs, pairs, filters, taps, rank; /* taps of memory per filter, filters per unit */
  int64_t memory_dtype, memory_zero, reach;
} hwb_svdf_numbers;

typedef struct {
  hwb_svdf_numbers n;
  hwb_ends newest, units; /* to the newest memory codes; to output codes, bias included */
  hwb_ends near;          /* as units for the sums of enum hwb_reach, in 32 bits */
  const int16_t *panels;  /* of w_feature [F, I] */
  const int16_t *time;    /* [F, taps], above -32768 */
} hwb_svdf;

/* in: x [n, I], memory [n, F · taps]; outputs: y [n, F / rank], memory moved on by one step.
   newest[f] = cast(Σ x · w_feature) + zero, wrapping, y[u] = cast(Σ over rank and taps of (memory − zero) · time). Sums of features must
   fit 32 bits. Saturation counts are those of y. */
int hwb_svdf_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_svdf_scratch_bytes(const void *parameters);

/* One requantization by gemmlowp's two roundings (double), or a shift with ties away from zero to 16 bits, wrapping. */
typedef struct {
  int64_t multiplier, shift; /* multiplier 0: the shift alone */
} hwb_gate_step;

typedef struct {
  int64_t x_dtype, x_zero, h_zero, steps, inputs, x_pairs, units, h_pairs;
  int64_t clip; /* of the cell; 32768 for none */
  hwb_gate_step kept, added, hidden;
} hwb_lstm_numbers;

typedef struct {
  hwb_lstm_numbers n;
  hwb_ends fed, back; /* gates f, i, c, o of every unit: from x, to s16; from h, to s32 */
  const int16_t *x_panels, *h_panels;        /* of W [4·U, I] and R [4·U, U] */
  const int16_t *sigmoid, *tanh, *cell_tanh; /* of every 16-bit code from −32768 on */
} hwb_lstm;

/* in: x [n, T, I], h [n, U] s8, c [n, U] s16; outputs: y [n, T, U] s8, h, c. A gate's pre-activation is the sum of both
   parts limited to 16 bits; c = clip(s16(kept(f · c) + added(i · u))), h = s8(hidden(o · tanh(c)) + h_zero).
   Sums must fit 32 bits. Counts nothing: every step limits. */
int hwb_lstm_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_lstm_scratch_bytes(const void *parameters);

/* One op of a program with the slots it reads and writes: out, and `others` more outputs. */
enum { HWB_MOST_INPUTS = 16, HWB_MOST_OUTPUTS = 16 };
typedef struct {
  const hwb_op *op;
  int32_t inputs;
  int32_t in[HWB_MOST_INPUTS];
  int32_t out;
  int32_t others;
  int32_t other[HWB_MOST_OUTPUTS - 1];
} hwb_step;

/* Run all steps on n samples. slots: the address of each tensor's n samples. stats: one per step, level set.
   Returns HWB_OK or the first status that is not. */
int hwb_program_run(const hwb_step *steps, int64_t count, void *const *slots, int64_t n, void *scratch,
                    hwb_stats *stats);

#endif
