/* The dispatch table: one entry per kernel; the reference fills it, an instruction set overwrites what it has. */
#ifndef HWBLOCKS_KERNELS_H
#define HWBLOCKS_KERNELS_H

#include <hwblocks/accumulator.h>
#include <hwblocks/cast.h>
#include <hwblocks/types.h>

enum { HWB_TILE_ROWS = 8, HWB_TILE_COLUMNS = 16, HWB_COLUMN_BYTES = 64, HWB_SLACK = 64 };

/* Rows of inputs against one panel of weights for 16 output channels. A step is what one multiply-add sums: a pair of
   k in 16 bits, or four k in 8 bits. Panels: for each tap, for each step: 16 times the k of the step. The run of a tap
   is padded to whole steps with zero weights, so that what lies beyond a run never counts. */
typedef struct {
  const void *const *rows; /* HWB_TILE_ROWS pointers to the inputs of output positions: int16, or uint8 */
  const int64_t *offsets;  /* elements from a row's pointer to each tap */
  int64_t count;           /* rows in use, 1 to the family's rows in hwb_kernels */
  int64_t taps, steps;     /* taps, and steps in the run of each tap */
  const void *panel;       /* 64-byte aligned */
  int64_t flush;           /* steps that a narrower sum can hold: 32 bits of s64, 16 bits of u8s8; 0: not even one */
  const uint32_t *totals;  /* s16s8: the sum of each row's inputs modulo 2^32, or NULL where the kernel is to find them */
} hwb_tile;

/* The sum of a row's inputs as far as steps of pairs reach, modulo 2^32. */
static inline uint32_t hwb_row_total(const int16_t *row, const int64_t *offsets, int64_t taps, int64_t steps) {
  uint32_t sum = 0;
  for (int64_t t = 0; t < taps; t++)
    for (int64_t k = 0; k < 2 * steps; k++) sum += (uint32_t)row[offsets[t] + k];
  return sum;
}

/* Depthwise: a column holds 16 channels of several input rows side by side, 64 bytes: [16][2] int16 or [16][4] uint8. */
typedef struct {
  const void *columns;    /* the first output position's first column */
  int64_t step;           /* bytes from one output position's columns to the next one's */
  int64_t count;          /* output positions, one at least */
  const int64_t *offsets; /* bytes to the column of each term */
  int64_t terms;
  const void *weights;    /* [terms] columns of int16 or int8, 64-byte aligned */
} hwb_columns;

/* Input rows to lay side by side: channel c of pixel i of row r is x[r][i · step[r] + c]. */
typedef struct {
  const void *x[4];
  int64_t step[4]; /* elements; 0 for a row of padding */
  int64_t dtype;
  int64_t pixels, width; /* pixels, and channels of each, 1 to 16 */
} hwb_side_by_side;

/* Sums of output positions (rows) × channels on their way to output codes. Up to 15 sums beyond width may be read. */
typedef struct {
  const void *sums; /* int32 or int64 */
  int64_t step;     /* elements from one row of sums to the next */
  int64_t rows, channel, width;
  char *y;
  int64_t y_step; /* bytes */
} hwb_block;

/* y = limited((a · a_factor · 2^left + b · b_factor · 2^left + addend) >> 32) of two streams of 8-bit codes as stored;
   factors within ±(2^31 − 2^15 − 1), left < 16, the addend within ±2^(45 + left). */
typedef struct {
  int64_t a_dtype, b_dtype, left, a_factor, b_factor, addend;
  int64_t lo, hi, clamp_lo, clamp_hi, counts_low, counts_high, out_dtype; /* as in hwb_cast_numbers; s8 or u8 */
} hwb_pairs_numbers;

/* float32 to codes of one or two bytes: round(x / factor, or x · factor) + zero, half_even or half_away, in lo … hi,
   then in clamp_lo … clamp_hi. */
typedef struct {
  int64_t reciprocal, half_even, bytes;
  int32_t zero, lo, hi, clamp_lo, clamp_hi;
  float factor;
} hwb_quick_edge;

/* Rows of codes as stored, [terms, channels], and a weight for each: [blocks of 16 channels][pairs of rows][16][2],
   filled up with zeros, 64-byte aligned. dtype: s8, u8 or s16. */
typedef struct {
  const void *x;
  int64_t dtype, terms, channels;
  const int16_t *weights;
} hwb_weighted_rows;

/* When products of bytes are faster than of 16-bit words: never, always, or where 16 bits hold several of them. */
enum hwb_bytes { HWB_BYTES_NEVER = 0, HWB_BYTES_ALWAYS, HWB_BYTES_NARROW };

typedef struct {
  const char *name;
  int64_t s16_rows, u8_rows; /* output positions of a tile */
  int64_t bytes;             /* enum hwb_bytes */

  /* sums[count][16] = Σ over taps and steps of rows · panel, int16 × int16 in pairs. Exact while every sum stays within
     32 bits. Reads up to one int16 beyond a run. */
  void (*gemm_s16s16_s32)(const hwb_tile *tile, int32_t *sums);

  /* As gemm_s16s16_s32 with weights in bytes, modulo 2^32: a word holds those of two columns, 256 · w[j] + w[j + 8] + 128;
     a step of a panel is [8][2] int16. */
  void (*gemm_s16s8_s32)(const hwb_tile *tile, int32_t *sums);

  /* As gemm_s16s16_s32, with the sum of each pair of products saturated to 16 bits before it is added (vpmaddubsw's sums). */
  void (*gemm_s16s16_sat16_s32)(const hwb_tile *tile, int32_t *sums);

  /* As gemm_s16s16_s32 in 64 bits: exact for any K below 2^32. */
  void (*gemm_s16s16_s64)(const hwb_tile *tile, int64_t *sums);

  /* As gemm_s16s16_s32 of uint8 × int8 in fours, modulo 2^32. Where bytes are narrow, no 16-bit sum of `flush` pairs
     of products may leave its range. Reads up to three bytes beyond a run. */
  void (*gemm_u8s8_s32)(const hwb_tile *tile, int32_t *sums);

  /* y[i] = x[i] − zero in int16 for n elements of type dtype (s8, u8, s16); the difference must fit. */
  void (*widen)(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n);

  /* y[i] = x[i], or x[i] + 128 of type s8, in uint8 for n elements. */
  void (*offset)(const void *x, int64_t dtype, uint8_t *y, int64_t n);

  /* Cast sums, store output codes. */
  void (*cast_s32)(const hwb_cast *cast, const hwb_block *block, hwb_stats *stats);
  void (*cast_s64)(const hwb_cast *cast, const hwb_block *block, hwb_stats *stats);

  /* Pixels of two rows as columns of int16; of four rows as columns of uint8, s8 with 128 added. */
  void (*columns_s16)(const hwb_side_by_side *from, int16_t *columns, int64_t step);
  void (*columns_u8)(const hwb_side_by_side *from, uint8_t *columns, int64_t step);

  /* sums[count][16] = Σ over terms of columns · weights. Exact while every sum stays within 32 bits; u8s8 modulo 2^32. */
  void (*depthwise_s16s16_s32)(const hwb_columns *c, int32_t *sums);
  void (*depthwise_u8s8_s32)(const hwb_columns *c, int32_t *sums);

  /* n pairs of 8-bit codes by the affine form. */
  void (*pairs)(const hwb_pairs_numbers *p, const void *a, const void *b, int64_t n, void *y, hwb_stats *stats);

  /* Codes of n floats, adding to `outside` how many left lo … hi. Returns n, or the first of 256 floats among which one
     is a NaN or lies at 2^30 steps or beyond; nothing is stored or counted from there on. */
  int64_t (*edge_codes)(const hwb_quick_edge *p, const float *x, int64_t n, void *y, int64_t *outside);

  /* sums[i] = Σ over j of a[i · length + j] · b[i · length + j] for `count` rows; b above -32768. Exact. */
  void (*dots_s16s16_s64)(const int16_t *a, const int16_t *b, int64_t length, int64_t count, int64_t *sums);

  /* sums[c] = Σ over rows of x · weight, modulo 2^32. Whole blocks of 16 sums may be written. */
  void (*weighted_s32)(const hwb_weighted_rows *r, int32_t *sums);

  hwb_ordered_kernels ordered; /* see accumulator.h */
} hwb_kernels;

/* Cast sums of consecutive channels by the ends. */
static inline void hwb_end(void (*cast)(const hwb_cast *, const hwb_block *, hwb_stats *), const hwb_ends *e,
                           const hwb_block *block, size_t sum_bytes, hwb_stats *stats) {
  hwb_block part = *block;
  int64_t first = hwb_max(0, hwb_min(block->width, e->tail_start - block->channel));
  part.width = first;
  if (first) cast(&e->cast, &part, stats);
  if (first == block->width) return;
  part.sums = (const char *)block->sums + (size_t)first * sum_bytes;
  part.channel += first;
  part.width = block->width - first;
  part.y += first * (int64_t)hwb_size_of(e->cast.n.out_dtype);
  cast(&e->tail, &part, stats);
}

static inline void hwb_end_s32(const hwb_kernels *k, const hwb_ends *e, const hwb_block *block, hwb_stats *stats) {
  hwb_end(k->cast_s32, e, block, sizeof(int32_t), stats);
}

static inline void hwb_end_s64(const hwb_kernels *k, const hwb_ends *e, const hwb_block *block, hwb_stats *stats) {
  hwb_end(k->cast_s64, e, block, sizeof(int64_t), stats);
}

/* The table of an instruction set, or NULL when this build or machine has none of that name. */
const hwb_kernels *hwb_kernels_of(const char *isa);

/* The i-th name of the instruction sets this machine runs, slowest first; NULL past the last. */
const char *hwb_isa_name(int i);

/* Parts of the tables, each in its own file. */
#define HWB_DECLARE(isa)                                                                                               \
  void hwb_gemm_s16s16_s32__##isa(const hwb_tile *tile, int32_t *sums);                                                \
  void hwb_gemm_s16s8_s32__##isa(const hwb_tile *tile, int32_t *sums);                                                 \
  void hwb_gemm_s16s16_sat16_s32__##isa(const hwb_tile *tile, int32_t *sums);                                          \
  void hwb_gemm_s16s16_s64__##isa(const hwb_tile *tile, int64_t *sums);                                                \
  void hwb_gemm_u8s8_s32__##isa(const hwb_tile *tile, int32_t *sums);                                                  \
  void hwb_widen__##isa(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n);                            \
  void hwb_offset__##isa(const void *x, int64_t dtype, uint8_t *y, int64_t n);                                         \
  void hwb_cast_s32__##isa(const hwb_cast *cast, const hwb_block *block, hwb_stats *stats);                            \
  void hwb_cast_s64__##isa(const hwb_cast *cast, const hwb_block *block, hwb_stats *stats);                            \
  void hwb_columns_s16__##isa(const hwb_side_by_side *from, int16_t *columns, int64_t step);                           \
  void hwb_columns_u8__##isa(const hwb_side_by_side *from, uint8_t *columns, int64_t step);                            \
  void hwb_depthwise_s16s16_s32__##isa(const hwb_columns *c, int32_t *sums);                                           \
  void hwb_depthwise_u8s8_s32__##isa(const hwb_columns *c, int32_t *sums);                                             \
  void hwb_weighted_s32__##isa(const hwb_weighted_rows *r, int32_t *sums);                                              \
  void hwb_dots_s16s16_s64__##isa(const int16_t *a, const int16_t *b, int64_t length, int64_t count, int64_t *sums);    \
  int64_t hwb_edge_codes__##isa(const hwb_quick_edge *p, const float *x, int64_t n, void *y, int64_t *outside);         \
  void hwb_pairs__##isa(const hwb_pairs_numbers *p, const void *a, const void *b, int64_t n, void *y, hwb_stats *stats)

HWB_DECLARE(ref);
HWB_DECLARE(avx2);
HWB_DECLARE(avx512);
HWB_DECLARE(neon);

#endif
