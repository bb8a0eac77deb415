/* Depthwise sums of the ordered op: 16 channels side by side, so that no window is gathered. */
#include "ordered.h"
#include <string.h>

enum { POSITIONS = 16, SUMS = POSITIONS * HWB_TILE_COLUMNS };

static int saturates(const hwb_ordered_numbers *n) {
  return n->kind == HWB_SAT16 || (n->kind == HWB_LIMITED && !n->pairs_together);
}

int hwb_ordered_is_depthwise(const hwb_ordered *o) {
  return o->by_tap && (saturates(&o->n) || (!o->n.wide && !o->channel));
}

/* Neighbouring positions of one sample and 16 channels. */
typedef struct {
  hwb_ordered_tile t; /* its rows are not used */
  const int16_t *plane;
  int64_t at; /* the first position */
  int16_t *row;
} strip;

static hwb_channel_windows windows_of(const strip *s) {
  const hwb_ordered *o = s->t.b->o;
  const hwb_ordered_numbers *n = &o->n;
  hwb_channel_windows c = {s->plane + hwb_window_start(o, s->at) + s->t.first, n->stride_w * n->channels, s->t.count,
                           o->offsets, n->taps * n->run, o->by_tap + s->t.first * n->taps * n->run, n->low, n->high};
  return c;
}

static void add(const strip *s, const int32_t *constants, int64_t low, int64_t high, int32_t *sums) {
  s->t.b->op->kernels->ordered.add_limited_s32(sums, s->t.count, constants + s->t.first, (int32_t)low, (int32_t)high);
}

static void by_limits(const strip *s, int32_t *sums) {
  const hwb_ordered *o = s->t.b->o;
  const hwb_ordered_numbers *n = &o->n;
  int32_t totals[SUMS];
  hwb_channel_windows c = windows_of(s);
  int first = n->a.has_bias && n->a.bias_first;
  if (first) add(s, o->bias32, n->low, n->high, sums);
  s->t.b->op->kernels->ordered.channels_limited(&c, sums, totals);
  if (s->t.b->stats->level) hwb_ordered_count_totals(&s->t, totals, o->addend32);
  if (n->a.has_correction) add(s, o->correction32, n->low, n->high, sums);
  if (n->a.has_bias && !first) add(s, o->bias32, n->low, n->high, sums);
}

/* Channels of one position one after the other. */
static void by_elements(const strip *s, int64_t position, int32_t *sums) {
  const hwb_ordered *o = s->t.b->o;
  const int16_t *window = s->plane + hwb_window_start(o, s->at + position) + s->t.first, *rows[1] = {s->row};
  int64_t taps = o->n.taps * o->n.run;
  for (int64_t j = 0; j < s->t.width; j++) {
    int64_t value[HWB_TILE_COLUMNS];
    hwb_ordered_tile one = s->t;
    for (int64_t t = 0; t < taps; t++) s->row[t] = window[o->offsets[t] + j];
    one.rows = rows;
    one.row += position;
    one.count = one.width = 1;
    one.first += j;
    hwb_ordered_elements(&one, value);
    sums[position * HWB_TILE_COLUMNS + j] = (int32_t)value[0];
  }
}

static int64_t size_of(int64_t v) { return v < 0 ? -v : v; }

/* One where no sum of some of the products and constants of a position leaves the register. */
static int holds(const strip *s, const int32_t *sizes) {
  const hwb_ordered *o = s->t.b->o;
  int inside = 1;
  for (int64_t j = 0; j < s->t.width; j++) {
    int64_t c = s->t.first + j, reach = sizes[j] + size_of(o->bias[c]) + size_of(o->correction[c]);
    inside &= -reach >= o->n.low && reach <= o->n.high;
  }
  return inside;
}

static void by_probe(const strip *s, int32_t *sums) {
  const hwb_ordered *o = s->t.b->o;
  int32_t sizes[SUMS];
  hwb_channel_windows c = windows_of(s);
  s->t.b->op->kernels->ordered.channels_plain(&c, sums, sizes);
  add(s, o->addend32, INT32_MIN, INT32_MAX, sums);
  for (int64_t i = 0; i < s->t.count; i++)
    if (!holds(s, sizes + i * HWB_TILE_COLUMNS)) by_elements(s, i, sums);
}

/* All channels of the positions at .. at + count. */
static void strip_out(strip *s) {
  const hwb_ordered_numbers *n = &s->t.b->o->n;
  for (int64_t c = 0; c < n->out_channels; c += HWB_TILE_COLUMNS) {
    int32_t sums[SUMS + HWB_TILE_COLUMNS] = {0};
    s->t.first = c;
    s->t.width = hwb_min(HWB_TILE_COLUMNS, n->out_channels - c);
    if (saturates(n)) by_limits(s, sums);
    else by_probe(s, sums);
    hwb_ordered_store_s32(&s->t, sums);
  }
}

void hwb_ordered_depthwise(const hwb_op *op, const char *x, char *y, int64_t n, int16_t *plane, int16_t *row, void *words,
                           hwb_stats *stats) {
  const hwb_ordered *o = op->parameters;
  const hwb_ordered_numbers *c = &o->n;
  int64_t size = c->out_height * c->out_width, bytes = c->height * c->width * c->channels * (int64_t)hwb_size_of(c->x_dtype);
  int64_t pixel = c->out_channels * (int64_t)hwb_size_of(o->ends.cast.n.out_dtype);
  for (int64_t i = 0; i < n; i++) {
    hwb_ordered_block b = {op, o, NULL, size, 0, i * size, y + i * size * pixel, NULL, words, stats};
    hwb_ordered_widen(o, op->kernels, x + i * bytes, plane);
    for (int64_t at = 0, count; at < size; at += count) {
      count = hwb_min(POSITIONS, c->out_width - at % c->out_width);
      strip s = {{&b, NULL, at, count, 0, 0, 0, NULL}, plane, at, row};
      strip_out(&s);
    }
  }
}
