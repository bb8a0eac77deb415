/* Sums of one tile of the ordered op: plain, by elements, and plain as long as a bound proves that no limit is met. */
#include "ordered.h"
#include <string.h>

static const int64_t no_offset[1] = {0};

const int16_t *hwb_ordered_panel(const hwb_ordered_tile *t) {
  const hwb_ordered *o = t->b->o;
  int64_t pairs = (hwb_length_of(t) + 1) / 2;
  return o->panels + (t->b->group * hwb_panels_of(&o->n) + t->panel) * pairs * 2 * HWB_TILE_COLUMNS;
}

/* The plain tile over pairs first .. first + pairs of K. */
static hwb_tile plain_tile(const hwb_ordered_tile *t, const void **rows, int64_t first, int64_t pairs) {
  for (int64_t i = 0; i < HWB_ORDERED_ROWS; i++) rows[i] = t->rows[i] + 2 * first;
  hwb_tile tile = {rows, no_offset, t->count, 1, pairs, hwb_ordered_panel(t) + first * 2 * HWB_TILE_COLUMNS, t->b->o->n.flush, NULL};
  return tile;
}

/* The next rows of a tile that the kernel takes at once; 0 when none are left. */
static int next_rows(const hwb_kernels *k, hwb_tile *tile, int64_t *done, int64_t count) {
  tile->rows += *done ? k->s16_rows : 0;
  tile->count = hwb_min(k->s16_rows, count - *done);
  *done += hwb_max(0, tile->count);
  return tile->count > 0;
}

/* Sums over pairs first .. first + pairs of K. */
static void plain_s32(const hwb_ordered_tile *t, int64_t first, int64_t pairs, int32_t *sums) {
  const void *rows[HWB_ORDERED_ROWS];
  const hwb_kernels *k = t->b->op->kernels;
  hwb_tile tile = plain_tile(t, rows, first, pairs);
  for (int64_t done = 0; next_rows(k, &tile, &done, t->count);)
    k->gemm_s16s16_s32(&tile, sums + (done - tile.count) * HWB_TILE_COLUMNS);
}

void hwb_ordered_plain_s32(const hwb_ordered_tile *t, int32_t *sums) { plain_s32(t, 0, (hwb_length_of(t) + 1) / 2, sums); }

void hwb_ordered_plain_s64(const hwb_ordered_tile *t, int64_t *sums) {
  const void *rows[HWB_ORDERED_ROWS];
  const hwb_kernels *k = t->b->op->kernels;
  hwb_tile tile = plain_tile(t, rows, 0, (hwb_length_of(t) + 1) / 2);
  for (int64_t done = 0; next_rows(k, &tile, &done, t->count);)
    k->gemm_s16s16_s64(&tile, sums + (done - tile.count) * HWB_TILE_COLUMNS);
}

void hwb_ordered_count_element(const hwb_ordered_tile *t, int64_t row, int64_t packed, const hwb_element *e) {
  const hwb_ordered *o = t->b->o;
  int64_t channel = o->channel ? o->channel[packed] : packed, plane = o->n.out_height * o->n.out_width;
  int64_t position = t->b->position + t->row + row;
  hwb_count_element(t->b->stats->channels + channel, e, position / plane, position % plane * o->n.out_channels + channel);
}

/* One where the exact total, in the register's LSBs, is outside its width. */
static int is_outside(const hwb_accumulator *a, int64_t total) {
  hwb_register width = {a->sum.bits, a->sum.is_signed, HWB_HOLD_WRAP, 0};
  hwb_int128 v = a->drop ? hwb_round_shift(total, a->drop, a->drop_rounding) : (hwb_int128)total;
  return v < hwb_register_low(&width) || v > hwb_register_high(&width);
}

void hwb_ordered_elements(const hwb_ordered_tile *t, int64_t *sums) {
  const hwb_ordered *o = t->b->o;
  const hwb_accumulator *a = &o->n.a;
  int64_t k = hwb_length_of(t);
  hwb_element e;
  for (int64_t i = 0; i < t->count; i++)
    for (int64_t j = 0; j < t->width; j++) {
      int64_t c = t->first + j;
      hwb_products p = {t->rows[i], o->weights + c * k, k, o->bias[c], o->correction[c], t->b->words};
      if (o->n.long_words) hwb_ordered_s16s16_s128__ref(a, &p, &e);
      else hwb_ordered_s16s16_s64__ref(a, &p, &e);
      sums[i * HWB_TILE_COLUMNS + j] = e.value;
      t->b->stats->outside += is_outside(a, e.total);
      if (t->b->stats->channels) hwb_ordered_count_element(t, i, c, &e);
    }
}

/* The largest absolute sum of any of the products of one block of 32 (Hölder's inequality, three times). */
static double bound_of(const hwb_block_bound *x, const hwb_block_bound *w) {
  double by_sum = x->sum * w->peak, by_peak = x->peak * w->sum, by_norm = x->norm * w->norm;
  double least = by_sum < by_peak ? by_sum : by_peak;
  return least < by_norm ? least : by_norm;
}

/* Where a tile's sums may lie. */
typedef struct {
  const hwb_ordered_tile *t;
  const hwb_block_bound *weights;
  double low, high;
  int measured;
} span;

static span span_of(const hwb_ordered_tile *t) {
  const hwb_ordered *o = t->b->o;
  int64_t blocks = hwb_blocks_of(hwb_length_of(t));
  span s = {t, o->bounds + (t->b->group * hwb_panels_of(&o->n) + t->panel) * blocks, 0, 0, 1};
  return s;
}

static void measure(span *s, const int32_t *sums) {
  int32_t low, high;
  s->t->b->op->kernels->ordered.extremes_s32(sums, s->t->count, &low, &high);
  s->low = low;
  s->high = high;
  s->measured = 1;
}

static int holds(const span *s, double reach_low, double reach_high) {
  const hwb_ordered_numbers *n = &s->t->b->o->n;
  return s->low + reach_low >= (double)n->low && s->high + reach_high <= (double)n->high;
}

/* How many blocks from `first` on cannot take any sum out of the register; widens the span by them. */
static int64_t blocks_that_hold(span *s, int64_t first, int64_t blocks) {
  double reach = 0;
  int64_t b = first;
  for (; b < blocks; b++) {
    double more = reach + bound_of(s->t->bounds + b, s->weights + b);
    if (!holds(s, -more, more)) break;
    reach = more;
  }
  s->low -= reach;
  s->high += reach;
  s->measured = s->measured && b == first;
  return b - first;
}

/* One where no sum in any order can leave the register, the addends included. */
static int whole_holds(span *s) {
  const hwb_ordered_numbers *n = &s->t->b->o->n;
  int64_t blocks = hwb_blocks_of(hwb_length_of(s->t));
  if (blocks_that_hold(s, 0, blocks) < blocks) return 0;
  return holds(s, (double)hwb_min(0, n->addend_low), (double)hwb_max(0, n->addend_high));
}

/* sums += the products of blocks first .. first + count. */
static void add_plain(const hwb_ordered_tile *t, int64_t first, int64_t count, int32_t *sums) {
  int32_t more[HWB_TILE_ROOM];
  int64_t half = HWB_BOUND_BLOCK / 2, end = hwb_min((first + count) * half, (hwb_length_of(t) + 1) / 2);
  plain_s32(t, first * half, end - first * half, more);
  for (int64_t i = 0; i < t->count * HWB_TILE_COLUMNS; i++) sums[i] += more[i];
}

/* The same, limited after every addition. */
static void add_limited(const hwb_ordered_tile *t, int64_t first, int64_t count, int32_t *sums) {
  const hwb_ordered_numbers *n = &t->b->o->n;
  const int16_t *rows[HWB_ORDERED_ROWS];
  int64_t half = HWB_BOUND_BLOCK / 2, pairs = hwb_min(count * half, (hwb_length_of(t) + 1) / 2 - first * half);
  for (int64_t i = 0; i < HWB_ORDERED_ROWS; i++) rows[i] = t->rows[i] + first * HWB_BOUND_BLOCK;
  const int16_t *panel = hwb_ordered_panel(t) + first * half * 2 * HWB_TILE_COLUMNS;
  hwb_limited_tile limited = {rows, t->count, panel, pairs, n->pairs_together, n->low, n->high, n->x_left, n->w_left};
  t->b->op->kernels->ordered.limited_s32(&limited, sums);
}

static int in_range(const hwb_ordered_numbers *n, const int32_t *v, int64_t count) {
  int inside = 1;
  for (int64_t i = 0; i < count; i++) inside &= v[i] >= n->low && v[i] <= n->high;
  return inside;
}

static int saturates(const hwb_ordered_numbers *n) { return n->kind == HWB_LIMITED || n->kind == HWB_SAT16; }

int hwb_ordered_add_constant(const hwb_ordered_tile *t, const int32_t *addend, int32_t *sums) {
  const hwb_ordered_numbers *n = &t->b->o->n;
  const hwb_ordered_kernels *k = &t->b->op->kernels->ordered;
  if (saturates(n)) {
    k->add_limited_s32(sums, t->count, addend + t->first, (int32_t)n->low, (int32_t)n->high);
    return 1;
  }
  k->add_limited_s32(sums, t->count, addend + t->first, INT32_MIN, INT32_MAX);
  return in_range(n, sums, t->count * HWB_TILE_COLUMNS);
}

/* The sums are compared, not the totals, so that nothing overflows. */
void hwb_ordered_count_totals(const hwb_ordered_tile *t, const int32_t *sums, const int32_t *addend) {
  const hwb_register *r = &t->b->o->n.a.sum;
  int64_t low = r->is_signed ? -((int64_t)1 << (r->bits - 1)) : 0, high = ((int64_t)1 << (r->bits - r->is_signed)) - 1;
  int32_t least[HWB_TILE_COLUMNS], most[HWB_TILE_COLUMNS];
  for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
    int64_t constant = addend[t->first + j];
    least[j] = j < t->width ? (int32_t)hwb_max(low - constant, INT32_MIN) : INT32_MIN;
    most[j] = j < t->width ? (int32_t)hwb_min(high - constant, INT32_MAX) : INT32_MAX;
  }
  int32_t outside = 0;
  for (int64_t i = 0; i < t->count; i++, sums += HWB_TILE_COLUMNS)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) outside += (sums[j] < least[j]) | (sums[j] > most[j]);
  t->b->stats->outside += outside;
}

/* Exact totals outside the register, by plain sums where the limited ones are not exact. */
void hwb_ordered_count_exact(const hwb_ordered_tile *t) {
  const hwb_ordered *o = t->b->o;
  if (!o->n.wide_totals) {
    int32_t sums[HWB_TILE_ROOM];
    hwb_ordered_plain_s32(t, sums);
    hwb_ordered_count_totals(t, sums, o->addend32);
    return;
  }
  int64_t sums[HWB_TILE_ROOM];
  hwb_ordered_plain_s64(t, sums);
  for (int64_t i = 0; i < t->count; i++)
    for (int64_t j = 0; j < t->width; j++)
      t->b->stats->outside += is_outside(&o->n.a, sums[i * HWB_TILE_COLUMNS + j] + o->addend32[t->first + j]);
}

/* The sums over all of K, block by block; 0 where elements must be followed. exact: 1 while no block was limited. Where
   limits are needed again and again, the next look at the sums comes later and later: limits are never wrong. */
static int run_blocks(span *s, int32_t *sums, int *exact) {
  const hwb_ordered_tile *t = s->t;
  int64_t blocks = hwb_blocks_of(hwb_length_of(t)), patience = 1;
  for (int64_t b = 0; b < blocks;) {
    int64_t safe = blocks_that_hold(s, b, blocks);
    if (safe == blocks && !t->b->o->n.a.bias_first) hwb_ordered_plain_s32(t, sums);
    else if (safe) add_plain(t, b, safe, sums);
    else if (!s->measured) measure(s, sums);
    else if (t->b->o->n.kind != HWB_LIMITED) return 0;
    else {
      safe = hwb_min(patience, blocks - b);
      add_limited(t, b, safe, sums);
      measure(s, sums);
      *exact = 0;
      patience *= 2;
    }
    b += safe;
  }
  return 1;
}

int hwb_ordered_whole_holds(const hwb_ordered_tile *t) {
  span s = span_of(t);
  return whole_holds(&s);
}

int hwb_ordered_limited(const hwb_ordered_tile *t, int32_t *sums) {
  const hwb_ordered *o = t->b->o;
  const hwb_accumulator *a = &o->n.a;
  span s = span_of(t);
  int exact = 1, first = a->has_bias && a->bias_first;
  if (!o->n.carried && !whole_holds(&s)) return 0;
  s.low = s.high = 0;
  memset(sums, 0, HWB_TILE_SUMS * sizeof *sums);
  if (first) {
    exact = in_range(&o->n, o->bias32 + t->first, HWB_TILE_COLUMNS);
    if (!hwb_ordered_add_constant(t, o->bias32, sums)) return 0;
    measure(&s, sums);
  }
  if (!run_blocks(&s, sums, &exact)) return 0;
  int inside = holds(&s, (double)hwb_min(0, o->n.addend_low), (double)hwb_max(0, o->n.addend_high));
  if (t->b->stats->level && o->n.kind == HWB_LIMITED) {
    if (!exact) hwb_ordered_count_exact(t);
    else if (!inside) hwb_ordered_count_totals(t, sums, first ? o->correction32 : o->addend32);
  }
  if (a->has_correction && !hwb_ordered_add_constant(t, o->correction32, sums)) return 0;
  return !a->has_bias || first || hwb_ordered_add_constant(t, o->bias32, sums);
}
