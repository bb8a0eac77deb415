/* Tiles of the ordered op: which sums a tile runs by, and their way to the output. */
#include "ordered.h"
#include <string.h>

enum { FOLLOWED = 3 };

/* Casts `count` rows of sums from row i on, 16 packed channels or fewer, to y. */
static void cast_rows(const hwb_ordered_tile *t, int64_t i, int64_t count, const int32_t *narrow, const int64_t *wide,
                      char *y) {
  const hwb_ordered_block *b = t->b;
  const hwb_ends *ends = &b->o->ends;
  int64_t at = i * HWB_TILE_COLUMNS, row = b->o->n.out_channels * (int64_t)hwb_size_of(ends->cast.n.out_dtype);
  hwb_block block = {narrow ? (const void *)(narrow + at) : wide + at, HWB_TILE_COLUMNS, count, t->first, t->width, y, row};
  if (narrow) hwb_end_s32(b->op->kernels, ends, &block, b->stats);
  else hwb_end_s64(b->op->kernels, ends, &block, b->stats);
}

/* All rows at once, or one after the other where channels go back to their own places. */
static void store(const hwb_ordered_tile *t, const int32_t *narrow, const int64_t *wide) {
  const hwb_ordered *o = t->b->o;
  int64_t size = (int64_t)hwb_size_of(o->ends.cast.n.out_dtype);
  char *y = t->b->y + t->row * o->n.out_channels * size;
  if (!o->channel) {
    cast_rows(t, 0, t->count, narrow, wide, y + t->first * size);
    return;
  }
  for (int64_t i = 0; i < t->count; i++, y += o->n.out_channels * size) {
    int64_t packed[HWB_TILE_COLUMNS]; /* 16 outputs of any type */
    cast_rows(t, i, 1, narrow, wide, (char *)packed);
    for (int64_t j = 0; j < t->width; j++)
      memcpy(y + o->channel[t->first + j] * size, (char *)packed + j * size, (size_t)size);
  }
}

void hwb_ordered_store_s32(const hwb_ordered_tile *t, const int32_t *sums) { store(t, sums, NULL); }

static void store_s64(const hwb_ordered_tile *t, const int64_t *sums) {
  int32_t narrow[HWB_TILE_ROOM] = {0};
  if (t->b->o->n.wide) {
    store(t, NULL, sums);
    return;
  }
  for (int64_t i = 0; i < t->count * HWB_TILE_COLUMNS; i++) narrow[i] = (int32_t)sums[i];
  hwb_ordered_store_s32(t, narrow);
}

static void by_elements(const hwb_ordered_tile *t) {
  int64_t sums[HWB_TILE_ROOM] = {0};
  hwb_ordered_elements(t, sums);
  store_s64(t, sums);
}

static void by_following(const hwb_ordered_tile *t) {
  int32_t sums[HWB_TILE_ROOM] = {0};
  hwb_ordered_followed(t, sums);
  hwb_ordered_store_s32(t, sums);
}

/* Channels that cannot leave their register. */
static void by_plain(const hwb_ordered_tile *t) {
  const hwb_ordered *o = t->b->o;
  if (!o->n.wide) {
    int32_t sums[HWB_TILE_ROOM];
    hwb_ordered_plain_s32(t, sums);
    if (o->n.a.has_bias || o->n.a.has_correction)
      t->b->op->kernels->ordered.add_limited_s32(sums, t->count, o->addend32 + t->first, INT32_MIN, INT32_MAX);
    hwb_ordered_store_s32(t, sums);
    return;
  }
  int64_t sums[HWB_TILE_ROOM];
  hwb_ordered_plain_s64(t, sums);
  for (int64_t i = 0; i < t->count * HWB_TILE_COLUMNS; i++)
    sums[i] += o->bias[t->first + i % HWB_TILE_COLUMNS] + o->correction[t->first + i % HWB_TILE_COLUMNS];
  store_s64(t, sums);
}

/* Exact sums brought into the register once. */
static void by_total(const hwb_ordered_tile *t) {
  const hwb_ordered *o = t->b->o;
  const hwb_register *r = &o->n.a.sum;
  int64_t sums[HWB_TILE_ROOM];
  hwb_ordered_plain_s64(t, sums);
  for (int64_t i = 0; i < t->count * HWB_TILE_COLUMNS; i++) {
    int64_t j = i % HWB_TILE_COLUMNS, total = sums[i] + o->bias[t->first + j] + o->correction[t->first + j];
    if (total >= o->n.low && total <= o->n.high) {
      sums[i] = total;
      continue;
    }
    t->b->stats->outside += j < t->width;
    sums[i] = (int64_t)hwb_held(total, r);
  }
  store_s64(t, sums);
}

static void by_limits(const hwb_ordered_tile *t) {
  int32_t sums[HWB_TILE_ROOM];
  if (hwb_ordered_limited(t, sums)) hwb_ordered_store_s32(t, sums);
  else by_elements(t);
}

/* Two panels at once: the kernel's tile is 32 channels wide. */
static void by_sat16(const hwb_ordered_tile *t, int64_t channels) {
  int32_t sums[HWB_TILE_ROOM] = {0}, more[HWB_TILE_ROOM] = {0};
  hwb_ordered_tile right = *t;
  right.panel++;
  right.first += HWB_TILE_COLUMNS;
  right.width = hwb_min(HWB_TILE_COLUMNS, channels - right.panel * HWB_TILE_COLUMNS);
  hwb_ordered_sat16(t, &right, sums, more);
  hwb_ordered_store_s32(t, sums);
  if (right.width > 0) hwb_ordered_store_s32(&right, more);
}

/* One tile; returns how many panels it covered. */
static int64_t tile_out(hwb_ordered_tile *t, int64_t channels, int64_t unsafe) {
  int64_t kind = t->b->o->n.kind;
  if (t->b->stats->level >= FOLLOWED && hwb_ordered_is_followed(t)) by_following(t);
  else if (t->b->stats->level >= FOLLOWED) by_elements(t);
  else if (t->panel * HWB_TILE_COLUMNS >= unsafe) by_plain(t);
  else if (kind == HWB_LIMITED || kind == HWB_PROBED) by_limits(t);
  else if (kind == HWB_TOTAL) by_total(t);
  else if (kind == HWB_SAT16) {
    by_sat16(t, channels);
    return 2;
  } else by_elements(t);
  return 1;
}

/* Panels outside, rows inside, so that a panel stays in the first-level cache while the rows pass. */
void hwb_ordered_block_out(const hwb_ordered_block *b) {
  const hwb_ordered_numbers *n = &b->o->n;
  int64_t channels = n->out_channels / n->groups, panels = hwb_panels_of(n), step = 1;
  int64_t blocks = hwb_blocks_of(n->taps * n->run);
  for (int64_t p = 0; p < panels; p += step)
    for (int64_t m = 0; m < b->count; m += HWB_ORDERED_ROWS) {
      hwb_ordered_tile t = {b, b->rows + m, m, hwb_min(HWB_ORDERED_ROWS, b->count - m), p,
                            hwb_min(HWB_TILE_COLUMNS, channels - p * HWB_TILE_COLUMNS),
                            b->group * channels + p * HWB_TILE_COLUMNS, b->bounds + m / HWB_ORDERED_ROWS * blocks};
      step = tile_out(&t, channels, b->o->unsafe[b->group]);
    }
}
