/* Element-wise exact rational arithmetic: add, subtract, multiply, change of format. */
#include "rational.h"
#include <hwblocks/ops.h>

/* The factors as doubles over D, for the estimate. */
typedef struct {
  double a, b, product, offset;
} estimate_factors;

static hwb_int128 exact_numerator(const hwb_rational *r, int64_t a, int64_t b) {
  return a * hwb_two_words(r->factors, 0) + b * hwb_two_words(r->factors, 1) +
         (hwb_int128)a * b * hwb_two_words(r->factors, 2) + hwb_two_words(r->factors, 3);
}

static int64_t element(const hwb_rational *r, const estimate_factors *e, int64_t a, int64_t b, hwb_stats *stats) {
  const hwb_cast_numbers *end = &r->n.end;
  double x = (double)a, z = (double)b;
  double estimate = x * e->a + z * e->b + x * z * e->product + e->offset;
  int64_t nearest;
  if (hwb_is_half(end->rounding) && hwb_clear_nearest(estimate, &nearest))
    return hwb_limited(end, (hwb_int128)nearest + end->zero_point, stats);
  hwb_int128 v = hwb_round_ratio(exact_numerator(r, a, b), hwb_two_words(r->factors, 4), end->rounding);
  return hwb_limited(end, v + end->zero_point, stats);
}

int hwb_rational_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_rational *r = op->parameters;
  const hwb_rational_numbers *c = &r->n;
  double d = (double)hwb_two_words(r->factors, 4);
  estimate_factors e = {(double)hwb_two_words(r->factors, 0) / d, (double)hwb_two_words(r->factors, 1) / d,
                        (double)hwb_two_words(r->factors, 2) / d, (double)hwb_two_words(r->factors, 3) / d};
  (void)scratch;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0; i < c->count; i++) {
      int64_t at_a = s * c->a_count + (r->a_index ? r->a_index[i] : i), b = 0;
      if (r->b_constant) b = r->b_constant[i];
      else if (c->has_b) b = hwb_load(in[1], c->b_dtype, s * c->b_count + (r->b_index ? r->b_index[i] : i)) - c->b_zero;
      int64_t a = hwb_load(in[0], c->a_dtype, at_a) - c->a_zero;
      hwb_store(y, c->end.out_dtype, s * c->count + i, element(r, &e, a, b, stats));
    }
  return HWB_OK;
}
