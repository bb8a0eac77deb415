/* Sums of the ordered op whose every addition is followed, in vectors: saturating registers, or registers that cannot be
   left, one product after the other. */
#include "ordered.h"
#include <string.h>

int hwb_ordered_is_followed(const hwb_ordered_tile *t) {
  const hwb_ordered_numbers *n = &t->b->o->n;
  int one_by_one = n->a.order == HWB_SEQUENTIAL || (n->a.order == HWB_DOT && n->a.group == 1 && !n->a.has_part);
  int saturates = n->kind == HWB_SAT16 || (n->kind == HWB_LIMITED && !n->pairs_together);
  int inside = t->panel * HWB_TILE_COLUMNS >= t->b->o->unsafe[t->b->group];
  return one_by_one && !n->a.drop && !n->wide && !n->wide_totals && (saturates || inside);
}

/* One addition to every sum; constants beyond the register's 32 bits do not occur here. */
static void add_constants(hwb_followed_sums *s, const int32_t *constants, int32_t low, int32_t high) {
  for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
    int64_t exact = (int64_t)s->held[j] + constants[j]; /* of columns not in use it may be anything */
    int32_t total = (int32_t)hwb_max(INT32_MIN, hwb_min(INT32_MAX, exact));
    s->held[j] = total < low ? low : total > high ? high : total;
    s->outside[j] += total != s->held[j];
    s->before[j] += !s->outside[j];
    s->lowest[j] = total < s->lowest[j] ? total : s->lowest[j];
    s->highest[j] = total > s->highest[j] ? total : s->highest[j];
  }
}

static void count_row(const hwb_ordered_tile *t, int64_t row, const hwb_followed_sums *s) {
  for (int64_t j = 0; j < t->width; j++) {
    hwb_element e = {.steps = s->outside[j], .first = s->outside[j] ? s->before[j] : -1, .lowest = s->lowest[j],
                     .highest = s->highest[j]};
    hwb_ordered_count_element(t, row, t->first + j, &e);
  }
}

void hwb_ordered_followed(const hwb_ordered_tile *t, int32_t *sums) {
  const hwb_ordered *o = t->b->o;
  const hwb_accumulator *a = &o->n.a;
  int64_t k = o->n.taps * o->n.run;
  int inside = t->panel * HWB_TILE_COLUMNS >= o->unsafe[t->b->group];
  int32_t low = inside ? INT32_MIN : (int32_t)o->n.low, high = inside ? INT32_MAX : (int32_t)o->n.high;
  for (int64_t i = 0; i < t->count; i++) {
    hwb_followed_sums s = {{0}, {0}, {0}, {0}, {0}};
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
      s.lowest[j] = INT32_MAX;
      s.highest[j] = INT32_MIN;
    }
    if (a->has_bias && a->bias_first) add_constants(&s, o->bias32 + t->first, low, high);
    t->b->op->kernels->ordered.followed_s32(t->rows[i], hwb_ordered_panel(t), k, low, high, &s);
    if (a->has_correction) add_constants(&s, o->correction32 + t->first, low, high);
    if (a->has_bias && !a->bias_first) add_constants(&s, o->bias32 + t->first, low, high);
    memcpy(sums + i * HWB_TILE_COLUMNS, s.held, sizeof s.held);
    if (t->b->stats->channels) count_row(t, i, &s);
  }
  if (!inside) hwb_ordered_count_exact(t);
}
