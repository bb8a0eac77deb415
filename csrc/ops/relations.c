/* Two operands of unequal formats: compared, chosen from or divided as exact rationals. */
#include "rational.h"
#include <hwblocks/relations.h>

/* The code of a chosen or divided pair; den > 0. */
static int64_t code_of(const hwb_relation *p, hwb_int128 a, hwb_int128 b, hwb_int128 d, hwb_stats *stats) {
  const hwb_cast_numbers *end = &p->n.end;
  if (p->n.relation == HWB_QUOTIENT) return hwb_ratio_code(end, b < 0 ? -a : a, b < 0 ? -b : b, stats);
  int first = p->n.relation == HWB_LARGER ? a >= b : a <= b;
  return hwb_ratio_code(end, first ? a : b, d, stats);
}

static int holds(int64_t relation, hwb_int128 a, hwb_int128 b) {
  switch (relation) {
  case HWB_EQUAL: return a == b;
  case HWB_NOT_EQUAL: return a != b;
  case HWB_LESS: return a < b;
  case HWB_LESS_EQUAL: return a <= b;
  case HWB_GREATER: return a > b;
  case HWB_BOTH: return a && b;
  case HWB_EITHER: return a || b;
  case HWB_ONE_OF: return !a != !b;
  default: return a >= b;
  }
}

int hwb_relation_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_relation *p = op->parameters;
  const hwb_relation_numbers *r = &p->n;
  hwb_int128 factor_a = hwb_two_words(p->factors, 0), factor_b = hwb_two_words(p->factors, 1);
  hwb_int128 d = hwb_two_words(p->factors, 2);
  const void *xa = p->a_constant ? NULL : in[0], *xb = p->b_constant ? NULL : in[p->a_constant ? 0 : 1];
  (void)scratch;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0; i < r->count; i++) {
      int64_t a = p->a_constant ? p->a_constant[i] : 0, b = p->b_constant ? p->b_constant[i] : 0;
      if (xa) a = hwb_load(xa, r->a_dtype, s * r->a_count + (p->a_index ? p->a_index[i] : i)) - r->a_zero;
      if (xb) b = hwb_load(xb, r->b_dtype, s * r->b_count + (p->b_index ? p->b_index[i] : i)) - r->b_zero;
      if (r->relation == HWB_QUOTIENT && b == 0) return HWB_ZERO_DIVISOR;
      hwb_int128 left = a * factor_a, right = b * factor_b;
      int64_t code = r->relation <= HWB_QUOTIENT ? code_of(p, left, right, d, stats) : holds(r->relation, left, right);
      hwb_store(y, r->end.out_dtype, s * r->count + i, code);
    }
  return HWB_OK;
}
