/* The dispatch table: one entry per kernel; the reference fills it, an instruction set overwrites what it has. */
#ifndef HWBLOCKS_KERNELS_H
#define HWBLOCKS_KERNELS_H

#include <hwblocks/accumulator.h>
#include <hwblocks/cast.h>
#include <hwblocks/types.h>

enum { HWB_TILE_ROWS = 6, HWB_TILE_COLUMNS = 16, HWB_SLACK = 64 };

/* Packed weights ("panels"): for each 16 output channels, for each tap, for each pair of k: 16 times (k, k + 1), int16.
   The run of a tap is padded to whole pairs with zero weights, so that what lies beyond a run never counts. */
typedef struct {
  const int16_t *const *rows; /* HWB_TILE_ROWS pointers to centred int16 inputs, one per output position */
  const int64_t *offsets;     /* elements from a row's pointer to each tap */
  int64_t count;              /* rows in use, 1 to HWB_TILE_ROWS */
  int64_t taps, pairs;        /* taps, and pairs of k in the run of each tap */
  const int16_t *panel;       /* 64-byte aligned */
  int64_t flush;              /* s64 only: pairs that a 32-bit sum can hold; 0 when not even one */
} hwb_tile;

typedef struct {
  const char *name;

  /* sums[6][16] = Σ over taps and pairs of rows · panel. Exact while every sum stays within 32 bits.
     Reads up to one int16 beyond a run; rows beyond count are not written. */
  void (*gemm_s16s16_s32)(const hwb_tile *tile, int32_t *sums);

  /* As gemm_s16s16_s32, with the sum of each pair of products saturated to 16 bits before it is added (vpmaddubsw's sums). */
  void (*gemm_s16s16_sat16_s32)(const hwb_tile *tile, int32_t *sums);

  /* As gemm_s16s16_s32 in 64 bits: exact for any K below 2^32. */
  void (*gemm_s16s16_s64)(const hwb_tile *tile, int64_t *sums);

  /* y[i] = x[i] − zero in int16 for n elements of type dtype (s8, u8, s16); the difference must fit. */
  void (*widen)(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n);

  /* Cast `width` (1 to 16) sums of consecutive channels from `channel` on, store at y[0 .. width). */
  void (*cast_s32)(const hwb_cast *cast, const int32_t *sums, int64_t channel, int64_t width, void *y, hwb_stats *stats);
  void (*cast_s64)(const hwb_cast *cast, const int64_t *sums, int64_t channel, int64_t width, void *y, hwb_stats *stats);

  /* Depthwise: sums[16] = Σ over taps of x[offsets[t] + c] · w for 16 channels. weights: for each pair of taps 16 times
     (tap, tap + 1), the missing tap of an odd count zero. Exact while every sum stays within 32 bits. */
  void (*depthwise_s16s16_s32)(const int16_t *x, const int64_t *offsets, int64_t taps, const int16_t *weights,
                               int32_t *sums);

  hwb_ordered_kernels ordered; /* see accumulator.h */
} hwb_kernels;

/* Cast sums of consecutive channels by the ends; arguments as of cast_s32. 16 entries after the last sum may be read. */
static inline void hwb_end_s32(const hwb_kernels *k, const hwb_ends *e, const int32_t *sums, int64_t channel,
                               int64_t width, void *y, hwb_stats *stats) {
  int64_t first = hwb_max(0, hwb_min(width, e->tail_start - channel));
  if (first) k->cast_s32(&e->cast, sums, channel, first, y, stats);
  char *rest = (char *)y + first * (int64_t)hwb_size_of(e->cast.n.out_dtype);
  if (first < width) k->cast_s32(&e->tail, sums + first, channel + first, width - first, rest, stats);
}

/* The same of 64-bit sums. */
static inline void hwb_end_s64(const hwb_kernels *k, const hwb_ends *e, const int64_t *sums, int64_t channel,
                               int64_t width, void *y, hwb_stats *stats) {
  int64_t first = hwb_max(0, hwb_min(width, e->tail_start - channel));
  if (first) k->cast_s64(&e->cast, sums, channel, first, y, stats);
  char *rest = (char *)y + first * (int64_t)hwb_size_of(e->cast.n.out_dtype);
  if (first < width) k->cast_s64(&e->tail, sums + first, channel + first, width - first, rest, stats);
}

/* The table of an instruction set, or NULL when this build or machine has none of that name. */
const hwb_kernels *hwb_kernels_of(const char *isa);

/* The i-th name of the instruction sets this machine runs, slowest first; NULL past the last. */
const char *hwb_isa_name(int i);

/* Parts of the tables, each in its own file. */
void hwb_gemm_s16s16_s32__ref(const hwb_tile *tile, int32_t *sums);
void hwb_gemm_s16s16_sat16_s32__ref(const hwb_tile *tile, int32_t *sums);
void hwb_gemm_s16s16_s64__ref(const hwb_tile *tile, int64_t *sums);
void hwb_widen__ref(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n);
void hwb_cast_s32__ref(const hwb_cast *c, const int32_t *sums, int64_t channel, int64_t width, void *y, hwb_stats *st);
void hwb_cast_s64__ref(const hwb_cast *c, const int64_t *sums, int64_t channel, int64_t width, void *y, hwb_stats *st);
void hwb_depthwise_s16s16_s32__ref(const int16_t *x, const int64_t *offsets, int64_t taps, const int16_t *weights,
                                   int32_t *sums);
void hwb_gemm_s16s16_s32__avx2(const hwb_tile *tile, int32_t *sums);
void hwb_gemm_s16s16_sat16_s32__avx2(const hwb_tile *tile, int32_t *sums);
void hwb_gemm_s16s16_s64__avx2(const hwb_tile *tile, int64_t *sums);
void hwb_widen__avx2(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n);
void hwb_cast_s32__avx2(const hwb_cast *c, const int32_t *sums, int64_t channel, int64_t width, void *y, hwb_stats *st);
void hwb_depthwise_s16s16_s32__avx2(const int16_t *x, const int64_t *offsets, int64_t taps, const int16_t *weights,
                                    int32_t *sums);

#endif
