/* Ops: one bound node each, run on n samples at once; and the program that runs a list of them.

   Every op reads inputs [n, elements of one sample] and writes y [n, elements], contiguous, channels last. Inputs and
   output must not overlap. Numbers come first in each struct, in the order that numerics/kernels/binding.py writes. */
#ifndef HWBLOCKS_OPS_H
#define HWBLOCKS_OPS_H

#include <hwblocks/kernels.h>

typedef struct hwb_op hwb_op;
typedef int (*hwb_run)(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

struct hwb_op {
  hwb_run run;
  const hwb_kernels *kernels;
  const void *parameters;
  size_t scratch_bytes; /* for any n; 64-byte aligned */
};

/* Convolution with constant weights [O, kh, kw, C / groups]; a linear layer is a 1×1 kernel over rows. */
typedef struct {
  int64_t x_dtype, x_zero, height, width, channels;
  int64_t out_height, out_width, out_channels;
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int64_t groups, wide, flush;
  /* how weights are packed: taps of `run` values each (a whole kernel row where that is contiguous), in `pairs` pairs */
  int64_t taps, run, pairs;
  int64_t padded_height, padded_width;
  int64_t depthwise, multiplier; /* one input channel per group, `multiplier` outputs each */
} hwb_conv_numbers;

typedef struct {
  hwb_conv_numbers n;
  hwb_cast cast;
  const int16_t *panels; /* [groups][panels of 16 outputs][taps][pairs][16][2], or depthwise [blocks][tap pairs][16][2] */
  const int64_t *offsets; /* elements from an output position's first input to each tap */
} hwb_conv;

int hwb_conv_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
int hwb_depthwise_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_conv_scratch_bytes(const hwb_conv *conv);

/* Matrix product of two run-time operands. */
typedef struct {
  int64_t a_dtype, a_zero, b_dtype, b_zero;
  int64_t batch, b_batch, m, k, n;
  int64_t wide, flush;
} hwb_matmul_numbers;

typedef struct {
  hwb_matmul_numbers n;
  hwb_cast cast;
} hwb_matmul;

int hwb_matmul_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_matmul_scratch_bytes(const hwb_matmul *matmul);

/* y = table[x − lowest of x_dtype]; table entries are stored in out_dtype. */
typedef struct {
  int64_t x_dtype, out_dtype, count;
} hwb_table_numbers;

typedef struct {
  hwb_table_numbers n;
  const void *table;
} hwb_table;

int hwb_table_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y[i] = inputs[which[i]][element[i]], or fill where which is −1. */
typedef struct {
  int64_t dtype, count, inputs, fill;
} hwb_gather_numbers;

typedef struct {
  hwb_gather_numbers n;
  const int64_t *counts; /* elements of each input in one sample */
  const int32_t *which, *element;
} hwb_gather;

int hwb_gather_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

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

/* y = round((a·A + b·B + a·b·P + C) / D) + zero point. */
typedef struct {
  hwb_cast_numbers end;
  int64_t a_dtype, a_zero, b_dtype, b_zero, has_b, count, a_count, b_count;
} hwb_rational_numbers;

typedef struct {
  hwb_rational_numbers n;
  const int64_t *factors; /* A, B, P, C, D: two words each, low first */
  const int64_t *a_index, *b_index;
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

/* One op of a program with the slots it reads and writes. */
enum { HWB_MOST_INPUTS = 16 };
typedef struct {
  const hwb_op *op;
  int32_t inputs;
  int32_t in[HWB_MOST_INPUTS];
  int32_t out;
} hwb_step;

/* Run all steps on n samples. slots: the address of each tensor's n samples. stats: one per step, level set.
   Returns HWB_OK or the first status that is not. */
int hwb_program_run(const hwb_step *steps, int64_t count, void *const *slots, int64_t n, void *scratch,
                    hwb_stats *stats);

#endif
