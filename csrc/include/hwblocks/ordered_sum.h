/* One sum of products in any register and order, in integers of type HWB_WORD: included once for each width, after
   HWB_WORD (the type) and HWB_WIDTH(name) (its function names) are defined. */
#include <hwblocks/accumulator.h>
#include <hwblocks/rounding.h>

typedef struct {
  const hwb_register *record;
  HWB_WORD low, high;
} HWB_WIDTH(limits);

typedef struct {
  const hwb_accumulator *a;
  const hwb_products *p;
  HWB_WIDTH(limits) sum, part;
  int64_t steps, first, additions;
  HWB_WORD lowest, highest;
} HWB_WIDTH(state);

static HWB_WIDTH(limits) HWB_WIDTH(limits_of)(const hwb_register *r) {
  HWB_WIDTH(limits) l = {r, (HWB_WORD)hwb_register_low(r), (HWB_WORD)hwb_register_high(r)};
  return l;
}

/* value + addend as the register holds it; counts and records. */
static inline HWB_WORD HWB_WIDTH(add)(HWB_WIDTH(state) *s, const HWB_WIDTH(limits) *l, HWB_WORD value,
                                      HWB_WORD addend) {
  HWB_WORD total = value + addend;
  if (l == &s->sum) {
    s->lowest = total < s->lowest ? total : s->lowest;
    s->highest = total > s->highest ? total : s->highest;
  }
  if (total < l->low || total > l->high) {
    if (!s->steps++) s->first = s->additions;
    total = (HWB_WORD)hwb_held(total, l->record);
  }
  s->additions++;
  return total;
}

/* What enters a register whose LSB is 2^drop products. */
static inline HWB_WORD HWB_WIDTH(dropped)(const hwb_accumulator *a, HWB_WORD v) {
  if (!a->drop) return v;
  HWB_WORD one = (HWB_WORD)1 << a->drop, whole = v >> a->drop, rest = v & (one - 1);
  int half = rest > one / 2 ? 1 : rest < one / 2 ? -1 : 0;
  return whole + hwb_rounds_up(rest == 0, half, (int)(whole & 1), v < 0, a->drop_rounding);
}

static inline HWB_WORD HWB_WIDTH(product)(const HWB_WIDTH(state) *s, int64_t k) {
  return (HWB_WORD)s->p->x[k] * s->p->w[k];
}

static HWB_WORD HWB_WIDTH(sequential)(HWB_WIDTH(state) *s, HWB_WORD value) {
  for (int64_t k = 0; k < s->p->k; k++)
    value = HWB_WIDTH(add)(s, &s->sum, value, HWB_WIDTH(dropped)(s->a, HWB_WIDTH(product)(s, k)));
  return value;
}

static HWB_WORD HWB_WIDTH(dots)(HWB_WIDTH(state) *s, HWB_WORD value) {
  for (int64_t k = 0; k < s->p->k;) {
    HWB_WORD exact = 0;
    for (int64_t end = hwb_min(k + s->a->group, s->p->k); k < end; k++) exact += HWB_WIDTH(product)(s, k);
    if (s->a->has_part) exact = HWB_WIDTH(add)(s, &s->part, 0, exact);
    value = HWB_WIDTH(add)(s, &s->sum, value, HWB_WIDTH(dropped)(s->a, exact));
  }
  return value;
}

static HWB_WORD HWB_WIDTH(tiles)(HWB_WIDTH(state) *s, HWB_WORD value) {
  const HWB_WIDTH(limits) *l = s->a->has_part ? &s->part : &s->sum;
  for (int64_t k = 0; k < s->p->k;) {
    HWB_WORD partial = 0;
    for (int64_t end = hwb_min(k + s->a->group, s->p->k); k < end; k++)
      partial = HWB_WIDTH(add)(s, l, partial, HWB_WIDTH(dropped)(s->a, HWB_WIDTH(product)(s, k)));
    value = HWB_WIDTH(add)(s, &s->sum, value, partial);
  }
  return value;
}

static HWB_WORD HWB_WIDTH(interleaved)(HWB_WIDTH(state) *s, HWB_WORD value) {
  HWB_WORD *lanes = s->p->words;
  int64_t count = hwb_min(s->a->group, hwb_max(s->p->k, 1));
  for (int64_t i = 0; i < count; i++) lanes[i] = 0;
  for (int64_t k = 0, i = 0; k < s->p->k; k++, i = i + 1 < count ? i + 1 : 0)
    lanes[i] = HWB_WIDTH(add)(s, &s->sum, lanes[i], HWB_WIDTH(dropped)(s->a, HWB_WIDTH(product)(s, k)));
  for (int64_t i = 0; i < count; i++) value = HWB_WIDTH(add)(s, &s->sum, value, lanes[i]);
  return value;
}

static HWB_WORD HWB_WIDTH(trees)(HWB_WIDTH(state) *s, HWB_WORD value) {
  HWB_WORD *level = s->p->words;
  for (int64_t k = 0; k < s->p->k; k += s->a->group) {
    int64_t count = hwb_min(s->a->group, s->p->k - k);
    for (int64_t i = 0; i < count; i++) level[i] = HWB_WIDTH(dropped)(s->a, HWB_WIDTH(product)(s, k + i));
    for (; count > 1; count = (count + 1) / 2) {
      for (int64_t i = 0; i + 1 < count; i += 2) level[i / 2] = HWB_WIDTH(add)(s, &s->sum, level[i], level[i + 1]);
      if (count & 1) level[count / 2] = level[count - 1];
    }
    value = HWB_WIDTH(add)(s, &s->sum, value, level[0]);
  }
  return value;
}

static HWB_WORD HWB_WIDTH(in_order)(HWB_WIDTH(state) *s, HWB_WORD value) {
  switch (s->a->order) {
  case HWB_DOT: return HWB_WIDTH(dots)(s, value);
  case HWB_INTERLEAVED: return HWB_WIDTH(interleaved)(s, value);
  case HWB_TILES: return HWB_WIDTH(tiles)(s, value);
  case HWB_TREE: return HWB_WIDTH(trees)(s, value);
  default: return HWB_WIDTH(sequential)(s, value);
  }
}

static void HWB_WIDTH(accumulate)(const hwb_accumulator *a, const hwb_products *p, hwb_element *e) {
  HWB_WORD none = (HWB_WORD)1 << (8 * sizeof(HWB_WORD) - 2);
  HWB_WIDTH(state) s = {a, p, HWB_WIDTH(limits_of)(&a->sum), HWB_WIDTH(limits_of)(&a->part), 0, -1, 0, none, -none};
  HWB_WORD value = 0;
  if (a->has_bias && a->bias_first) value = HWB_WIDTH(add)(&s, &s.sum, value, HWB_WIDTH(dropped)(a, p->bias));
  value = HWB_WIDTH(in_order)(&s, value);
  if (a->has_correction) value = HWB_WIDTH(add)(&s, &s.sum, value, HWB_WIDTH(dropped)(a, p->correction));
  if (a->has_bias && !a->bias_first) value = HWB_WIDTH(add)(&s, &s.sum, value, HWB_WIDTH(dropped)(a, p->bias));
  e->value = (int64_t)(value * ((HWB_WORD)1 << a->drop));
  e->steps = s.steps;
  e->first = s.first;
  e->lowest = s.lowest;
  e->highest = s.highest;
  e->total = p->bias + p->correction;
  for (int64_t k = 0; k < p->k; k++) e->total += (int64_t)p->x[k] * p->w[k];
}
