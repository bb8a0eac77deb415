/* Sums of two neighbouring tiles of the ordered op in 16 bits, their exact totals beside them where these are counted. */
#include "ordered.h"
#include <string.h>

/* Where the 16-bit sums start: zero, or the bias limited. */
static void start_sat16(const hwb_ordered_tile *t, int16_t *sums) {
  const hwb_ordered_numbers *n = &t->b->o->n;
  int64_t channels = hwb_min(HWB_SKEW_COLUMNS, n->out_channels / n->groups - t->panel * HWB_TILE_COLUMNS);
  memset(sums, 0, HWB_ORDERED_ROWS * HWB_SKEW_COLUMNS * sizeof *sums);
  if (!n->a.has_bias || !n->a.bias_first) return;
  for (int64_t i = 0; i < HWB_ORDERED_ROWS; i++)
    for (int64_t j = 0; j < channels; j++)
      sums[i * HWB_SKEW_COLUMNS + j] = (int16_t)hwb_max(n->low, hwb_min(n->high, t->b->o->bias[t->first + j]));
}

/* One where this panel's exact totals have to be known. */
static int counts_panel(const hwb_ordered_tile *t) {
  return t->b->stats->level && t->width > 0 && !hwb_ordered_whole_holds(t);
}

/* 16 of the 32 columns: widened, constants added. */
static void finish_sat16(const hwb_ordered_tile *t, const int16_t *from, int32_t *sums) {
  const hwb_ordered *o = t->b->o;
  for (int64_t i = 0; i < t->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) sums[i * HWB_TILE_COLUMNS + j] = from[i * HWB_SKEW_COLUMNS + j];
  if (o->n.a.has_correction) hwb_ordered_add_constant(t, o->correction32, sums);
  if (o->n.a.has_bias && !o->n.a.bias_first) hwb_ordered_add_constant(t, o->bias32, sums);
}

static void count_columns(const hwb_ordered_tile *t, const int32_t *from) {
  int32_t totals[HWB_TILE_SUMS];
  for (int64_t i = 0; i < t->count; i++)
    memcpy(totals + i * HWB_TILE_COLUMNS, from + i * HWB_SKEW_COLUMNS, HWB_TILE_COLUMNS * sizeof *totals);
  hwb_ordered_count_totals(t, totals, t->b->o->addend32);
}

/* Sums in the register and exact totals, in parts of 256 steps. */
static void with_totals(const hwb_limited_tile *tile, const uint8_t *together, int16_t *sums, int32_t *totals,
                        const hwb_ordered_kernels *k) {
  for (int64_t t = 0; t < tile->length; t += HWB_TOTAL_STEPS) {
    const int16_t *rows[HWB_ORDERED_ROWS];
    hwb_limited_tile part = *tile;
    for (int64_t i = 0; i < HWB_ORDERED_ROWS; i++) rows[i] = tile->rows[i] + t;
    part.rows = rows;
    part.panel += t * HWB_SKEW_COLUMNS;
    part.length = hwb_min(HWB_TOTAL_STEPS, tile->length - t);
    part.group = together[t / HWB_TOTAL_STEPS];
    k->sat16_totals(&part, sums, totals);
  }
}

void hwb_ordered_sat16(const hwb_ordered_tile *left, const hwb_ordered_tile *right, int32_t *sums, int32_t *more) {
  const hwb_ordered *o = left->b->o;
  const hwb_ordered_kernels *k = &left->b->op->kernels->ordered;
  int64_t length = hwb_length_of(left) + 1, panels = (hwb_panels_of(&o->n) + 1) / 2;
  int64_t panel = left->b->group * panels + left->panel / 2, parts = (length + HWB_TOTAL_STEPS - 1) / HWB_TOTAL_STEPS;
  const int16_t *rows[HWB_ORDERED_ROWS];
  int16_t both[HWB_ORDERED_ROWS * HWB_SKEW_COLUMNS];
  int32_t totals[HWB_ORDERED_ROWS * HWB_SKEW_COLUMNS] = {0};
  for (int64_t i = 0; i < HWB_ORDERED_ROWS; i++) rows[i] = left->rows[i] - 1;
  hwb_limited_tile tile = {rows, left->count, o->skewed + panel * length * HWB_SKEW_COLUMNS, length, 0, o->n.low, o->n.high,
                           0, 0};
  int counts_left = counts_panel(left), counts_right = counts_panel(right);
  int at_once = (counts_left || counts_right) && o->together;
  start_sat16(left, both);
  if (at_once) with_totals(&tile, o->together + panel * parts, both, totals, k);
  else k->sat16(&tile, both);
  if (counts_left && at_once) count_columns(left, totals);
  else if (counts_left) hwb_ordered_count_exact(left);
  if (counts_right && at_once) count_columns(right, totals + HWB_TILE_COLUMNS);
  else if (counts_right) hwb_ordered_count_exact(right);
  finish_sat16(left, both, sums);
  if (right->width > 0) finish_sat16(right, both + HWB_TILE_COLUMNS, more);
}
