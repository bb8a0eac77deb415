/* Rows of inputs through tiles and casts: what convolution, linear layers and matrix products share. */
#ifndef HWBLOCKS_ROWS_H
#define HWBLOCKS_ROWS_H

#include <hwblocks/ops.h>

/* One group of output channels against a list of rows. */
typedef struct {
  const hwb_kernels *kernels;
  const hwb_ends *ends;
  const int64_t *offsets;
  int64_t sums; /* enum hwb_sums */
  int64_t taps, steps, flush;
  int64_t channel, channels; /* first output channel of the group, and how many */
  int64_t out_channels;      /* elements from one output position to the next */
  const void *panels;
  int64_t single; /* 1: one output channel, and constants of 16 equal ones */
} hwb_rows;

/* Output positions of a tile. */
static inline int64_t hwb_tile_rows(const hwb_kernels *k, int64_t sums) {
  return sums == HWB_SUMS_BYTES ? k->u8_rows : k->s16_rows;
}

/* Bytes of one step of a panel: 16 columns of two int16 or four int8, or of two bytes. */
static inline int64_t hwb_step_bytes(int64_t sums) { return sums == HWB_SUMS_MIXED ? 32 : 64; }

enum { HWB_ROWS_CAST = 4 * HWB_TILE_ROWS }; /* output positions summed before they are cast together */
enum { HWB_ROWS_TOTALS = 256 };             /* rows whose inputs are summed once for all panels */

/* Sums of `count` rows against one panel, tile by tile; totals of hwb_tile. */
static inline void hwb_tiles(const hwb_rows *r, const void *const *rows, int64_t count, const char *panel,
                             const uint32_t *totals, void *sums) {
  int64_t together = hwb_tile_rows(r->kernels, r->sums);
  for (int64_t m = 0; m < count; m += together) {
    hwb_tile tile = {rows + m, r->offsets, hwb_min(together, count - m), r->taps, r->steps, panel, r->flush,
                     totals ? totals + m : NULL};
    int32_t *narrow = (int32_t *)sums + m * HWB_TILE_COLUMNS;
    if (r->sums == HWB_SUMS_BYTES) r->kernels->gemm_u8s8_s32(&tile, narrow);
    else if (r->sums == HWB_SUMS_S32) r->kernels->gemm_s16s16_s32(&tile, narrow);
    else if (r->sums == HWB_SUMS_MIXED) r->kernels->gemm_s16s8_s32(&tile, narrow);
    else if (r->sums == HWB_SUMS_SAT16) r->kernels->gemm_s16s16_sat16_s32(&tile, narrow);
    else r->kernels->gemm_s16s16_s64(&tile, (int64_t *)sums + m * HWB_TILE_COLUMNS);
  }
}

static inline void hwb_cast_sums(const hwb_rows *r, const hwb_block *block, hwb_stats *stats) {
  if (r->sums == HWB_SUMS_S64) hwb_end_s64(r->kernels, r->ends, block, stats);
  else hwb_end_s32(r->kernels, r->ends, block, stats);
}

/* The sums of one channel moved together, then cast sixteen at a time as if they were channels. */
static inline void hwb_cast_single(const hwb_rows *r, void *sums, int64_t count, char *y, hwb_stats *stats) {
  int64_t element = (int64_t)hwb_size_of(r->ends->cast.n.out_dtype), whole = count / HWB_TILE_COLUMNS, rest = count % HWB_TILE_COLUMNS;
  int64_t size = r->sums == HWB_SUMS_S64 ? 8 : 4, done = whole * HWB_TILE_COLUMNS;
  if (size == 8)
    for (int64_t i = 0; i < count; i++) ((int64_t *)sums)[i] = ((int64_t *)sums)[i * HWB_TILE_COLUMNS];
  else
    for (int64_t i = 0; i < count; i++) ((int32_t *)sums)[i] = ((int32_t *)sums)[i * HWB_TILE_COLUMNS];
  hwb_block rows = {sums, HWB_TILE_COLUMNS, whole, 0, HWB_TILE_COLUMNS, y, HWB_TILE_COLUMNS * element};
  hwb_block last = {(char *)sums + done * size, 0, 1, 0, rest, y + done * element, 0};
  if (whole) hwb_cast_sums(r, &rows, stats);
  if (rest) hwb_cast_sums(r, &last, stats);
}

/* The totals of rows that their kernel needs, else NULL. */
static inline const uint32_t *hwb_totals(const hwb_rows *r, const void *const *rows, int64_t count, uint32_t *totals) {
  if (r->sums != HWB_SUMS_MIXED || count > HWB_ROWS_TOTALS) return NULL;
  for (int64_t i = 0; i < count; i++) totals[i] = hwb_row_total(rows[i], r->offsets, r->taps, r->steps);
  return totals;
}

/* The sums of one row for many channels, cast at once. */
static inline void hwb_one_row_out(const hwb_rows *r, const void *const *rows, char *y, hwb_stats *stats) {
  int64_t element = (int64_t)hwb_size_of(r->ends->cast.n.out_dtype), size = r->sums == HWB_SUMS_S64 ? 8 : 4;
  int64_t panel_bytes = r->taps * r->steps * hwb_step_bytes(r->sums), most = HWB_ROWS_CAST * HWB_TILE_COLUMNS;
  int64_t sums[HWB_ROWS_CAST * HWB_TILE_COLUMNS + HWB_TILE_COLUMNS];
  const char *panel = r->panels;
  uint32_t room[1];
  const uint32_t *total = hwb_totals(r, rows, 1, room);
  for (int64_t c = 0; c < r->channels; c += most) {
    int64_t width = hwb_min(most, r->channels - c);
    for (int64_t i = 0; i < width; i += HWB_TILE_COLUMNS, panel += panel_bytes)
      hwb_tiles(r, rows, 1, panel, total, (char *)sums + i * size);
    hwb_block block = {sums, 0, 1, r->channel + c, width, y + (r->channel + c) * element, 0};
    hwb_cast_sums(r, &block, stats);
  }
}

/* y[i, channel + j] for `count` rows; `y` points at the first row's first channel of all. Panels outside, rows inside,
   so that a panel stays in the first-level cache while the rows pass. */
static inline void hwb_rows_out(const hwb_rows *r, const void *const *rows, int64_t count, char *y, hwb_stats *stats) {
  int64_t element = (int64_t)hwb_size_of(r->ends->cast.n.out_dtype), together = hwb_tile_rows(r->kernels, r->sums);
  int64_t panel_bytes = r->taps * r->steps * hwb_step_bytes(r->sums), some = HWB_ROWS_CAST / together * together;
  int64_t sums[HWB_ROWS_CAST * HWB_TILE_COLUMNS + HWB_TILE_COLUMNS]; /* or twice as many of 32 bits */
  const char *panel = r->panels;
  if (count == 1 && r->channels > HWB_TILE_COLUMNS) {
    hwb_one_row_out(r, rows, y, stats);
    return;
  }
  uint32_t room[HWB_ROWS_TOTALS];
  const uint32_t *totals = hwb_totals(r, rows, count, room);
  for (int64_t c = 0; c < r->channels; c += HWB_TILE_COLUMNS, panel += panel_bytes) {
    int64_t width = hwb_min(HWB_TILE_COLUMNS, r->channels - c);
    for (int64_t m = 0; m < count; m += some) {
      hwb_block block = {sums, HWB_TILE_COLUMNS, hwb_min(some, count - m), r->channel + c, width,
                         y + (m * r->out_channels + r->channel + c) * element, r->out_channels * element};
      hwb_tiles(r, rows + m, block.rows, panel, totals ? totals + m : NULL, sums);
      if (r->single) hwb_cast_single(r, sums, block.rows, block.y, stats);
      else hwb_cast_sums(r, &block, stats);
    }
  }
}

#endif
