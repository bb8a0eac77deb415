/* Rows of centred inputs through tiles and casts: what convolution, linear layers and matrix products share. */
#ifndef HWBLOCKS_ROWS_H
#define HWBLOCKS_ROWS_H

#include <hwblocks/kernels.h>

/* One group of output channels against a list of rows. */
typedef struct {
  const hwb_kernels *kernels;
  const hwb_ends *ends;
  const int64_t *offsets;
  int64_t taps, pairs, flush, wide;
  int64_t channel, channels;  /* first output channel of the group, and how many */
  int64_t out_channels;       /* elements from one output position to the next */
  const int16_t *panels;
  int64_t saturate; /* 1: pairs of products saturate to 16 bits */
} hwb_rows;

static inline void hwb_tile_out(const hwb_rows *r, const hwb_tile *tile, int64_t channel, int64_t width, char *y,
                                hwb_stats *stats) {
  int64_t step = r->out_channels * (int64_t)hwb_size_of(r->ends->cast.n.out_dtype);
  if (r->wide) {
    int64_t sums[HWB_TILE_ROWS * HWB_TILE_COLUMNS + HWB_TILE_COLUMNS];
    r->kernels->gemm_s16s16_s64(tile, sums);
    for (int64_t i = 0; i < tile->count; i++)
      hwb_end_s64(r->kernels, r->ends, sums + i * HWB_TILE_COLUMNS, channel, width, y + i * step, stats);
    return;
  }
  int32_t sums[HWB_TILE_ROWS * HWB_TILE_COLUMNS + HWB_TILE_COLUMNS];
  if (r->saturate) r->kernels->gemm_s16s16_sat16_s32(tile, sums);
  else r->kernels->gemm_s16s16_s32(tile, sums);
  for (int64_t i = 0; i < tile->count; i++)
    hwb_end_s32(r->kernels, r->ends, sums + i * HWB_TILE_COLUMNS, channel, width, y + i * step, stats);
}

/* y[i, channel + j] for `count` rows; `y` points at the first row's first channel of all. Panels outside, rows inside,
   so that a panel stays in the first-level cache while the rows pass. */
static inline void hwb_rows_out(const hwb_rows *r, const int16_t *const *rows, int64_t count, char *y,
                                hwb_stats *stats) {
  size_t element = hwb_size_of(r->ends->cast.n.out_dtype);
  int64_t panel_size = r->taps * r->pairs * 2 * HWB_TILE_COLUMNS;
  for (int64_t c = 0, p = 0; c < r->channels; c += HWB_TILE_COLUMNS, p++) {
    int64_t width = hwb_min(HWB_TILE_COLUMNS, r->channels - c);
    for (int64_t m = 0; m < count; m += HWB_TILE_ROWS) {
      hwb_tile tile = {rows + m, r->offsets, hwb_min(HWB_TILE_ROWS, count - m), r->taps, r->pairs,
                       r->panels + p * panel_size, r->flush};
      char *at = y + (size_t)(m * r->out_channels + r->channel + c) * element;
      hwb_tile_out(r, &tile, r->channel + c, width, at, stats);
    }
  }
}

#endif
