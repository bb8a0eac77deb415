/* The ordered op: a convolution or linear layer whose products meet any accumulator in order. */
#ifndef HWBLOCKS_ORDERED_OP_H
#define HWBLOCKS_ORDERED_OP_H

#include <hwblocks/accumulator.h>
#include <hwblocks/ops.h>

/* How channels that may leave their register are summed; the others always by the plain tiles.
   ELEMENTS: one by one. SAT16: saturating in 16 bits. LIMITED: plain while a bound holds, else limited after every
   addition. PROBED: plain while a bound holds, else one by one. TOTAL: exactly, brought into the register once. */
enum hwb_ordered_kind { HWB_ELEMENTS = 0, HWB_SAT16, HWB_LIMITED, HWB_PROBED, HWB_TOTAL };

/* low, high: what every register of the record holds. addend_low, addend_high: extremes of bias + correction.
   wide, wide_totals: 1 where sums in the register, or exact ones, need more than 32 bits. long_words: 1 for 128 bits.
   carried: 1 where a bound may begin anew within a sum, at multiples of 32. x_left, w_left: of hwb_limited_tile. */
typedef struct {
  int64_t x_dtype, x_zero, height, width, channels, out_height, out_width, out_channels;
  int64_t stride_h, stride_w, pad_top, pad_left, groups, padded_height, padded_width;
  int64_t taps, run, pad_value, places; /* places: of hwb_conv_numbers */
  int64_t kind, pairs_together, carried, wide, wide_totals, long_words, flush;
  int64_t low, high, addend_low, addend_high, x_left, w_left;
  hwb_accumulator a;
} hwb_ordered_numbers;

/* Channels are packed so that in each group those that may leave their register come first; every array over channels,
   the cast's included, is in that order. Arrays of int32 and int64 over channels have 16 more entries. */
typedef struct {
  hwb_ordered_numbers n;
  hwb_ends ends;
  const int16_t *weights; /* [O][K], K in the register's order */
  const int16_t *panels;  /* [groups][panels of 16][pairs][16][2] */
  const int16_t *skewed;  /* [groups][panels of 32][K + 1][32], see hwb_ordered_kernels; SAT16 only */
  const int64_t *offsets; /* elements from an output position's first input to each tap */
  const int32_t *source;  /* elements to each of the K inputs, where the register's order is not that of taps; or NULL */
  const int64_t *bias, *correction;
  const int32_t *bias32, *correction32, *addend32; /* addend: bias + correction */
  const hwb_block_bound *bounds; /* [groups][panels of 16][blocks of 32 products] of the weights */
  const int64_t *unsafe;  /* [groups] channels that may leave their register */
  const int32_t *channel; /* output channel of each packed one, or NULL: the same */
  const uint8_t *together; /* [groups][panels of 32][parts of 256 steps]: 1 where sums of neighbouring products fit 16
                              bits; NULL where totals are not found beside the 16-bit sums */
  const int32_t *by_tap;   /* depthwise: [blocks of 16 channels][K][16] weights in the lower 16 of 32 bits; NULL where sums
                              of 32 bits do not serve */
  hwb_placement placement;
} hwb_ordered;

/* x as of hwb_conv, any K. stats->channels, where not NULL: counts of out_channels channels, set to nothing first; from
   level 3 on every addition is followed, below it only those of sums that may have left their register. */
int hwb_ordered_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_ordered_scratch_bytes(const void *parameters);

/* A matrix product of two run-time operands whose products meet any accumulator in order: a [batch][m][k] as rows, each b
   [k][n] packed as it comes. sums: as of an hwb_ordered over batch · m positions of k inputs and n channels, no bias. */
typedef struct {
  int64_t a_zero, b_dtype, b_zero, batch, b_batch, m;
  hwb_ordered_numbers sums;
} hwb_ordered_matmul_numbers;

typedef struct {
  hwb_ordered_matmul_numbers n;
  hwb_ends ends;
} hwb_ordered_matmul;

int hwb_ordered_matmul_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_ordered_matmul_scratch_bytes(const void *parameters);

#endif
