/* Edges between float32 and codes against plain arithmetic in double: ties, ends of the types, tails, NaN. */
#include "check.h"
#include <math.h>

static const int64_t lowest[] = {INT8_MIN, 0, INT16_MIN, 0, INT32_MIN}, highest[] = {INT8_MAX, UINT8_MAX, INT16_MAX,
                                                                                     UINT16_MAX, INT32_MAX};

static hwb_edge_rule drawn_rule(int64_t dtype) {
  hwb_edge_rule rule = {draw(0, 2), draw(0, 9), draw(0, 1), 0, draw(0, 1), 0};
  if (draw(0, 1)) rule = (hwb_edge_rule){draw(0, 1), draw(0, 1) ? HWB_HALF_EVEN : HWB_HALF_AWAY, 0, 0, draw(0, 1), dtype != HWB_S32};
  rule.lowest_nan = draw(0, 1);
  return rule;
}

/* scale is a power of two, so that every way of scaling gives the same quotient. */
static int64_t wanted_code(const hwb_quantize *p, const hwb_edge_rule *rule, float x, int64_t *outside) {
  double zero = (double)p->n.zero_point, quotient = (isnan(x) ? -INFINITY : (double)x) / p->scale64[0];
  if (rule->inside) quotient = rule->scaling == HWB_DIVIDE64 ? quotient + zero : (double)(float)(quotient + zero);
  quotient = fmin(fmax(quotient, -ldexp(1, 62)), ldexp(1, 62));
  double whole = hwb_round_real(quotient, rule->rounding) + (rule->inside ? 0 : zero);
  *outside += whole < (double)p->n.lo || whole > (double)p->n.hi;
  if (rule->wrap_far && fabs(whole - (rule->inside ? 0 : zero)) >= ldexp(1, 31))
    whole = (double)(int32_t)(uint32_t)(INT32_MIN + (rule->inside ? 0 : p->n.zero_point));
  int64_t code = (int64_t)fmin(fmax(whole, (double)p->n.lo), (double)p->n.hi);
  return code < p->n.clamp_lo ? p->n.clamp_lo : code > p->n.clamp_hi ? p->n.clamp_hi : code;
}

/* far: one of that many floats lies far off; 0: none. */
static float drawn_float(const hwb_quantize_numbers *n, double scale, int64_t far) {
  if (far && !draw(0, far)) return draw(0, 1) ? INFINITY : -3e38f;
  int64_t span = hwb_min(n->hi - n->lo, 70000);
  return (float)((double)draw(-2 * span, 2 * span) / 2 * scale);
}

static void check_to_codes(const hwb_kernels *k, int64_t dtype, int64_t count) {
  int64_t n = draw(1, 3), head = draw(0, 1) ? count : draw(0, count), outside = 0;
  int64_t zero = dtype == HWB_S32 ? draw(-9, 0) : draw(lowest[dtype], highest[dtype]);
  double *scale64 = exact(8);
  float *scale32 = exact(8), *x = exact((size_t)(n * count) * 4);
  scale64[0] = ldexp(1, (int)draw(-12, 4)), scale32[0] = (float)scale64[0], scale32[1] = 1 / scale32[0];
  void *y = exact((size_t)(n * count) * hwb_size_of(dtype));
  hwb_quantize p = {{dtype, count, head, zero, lowest[dtype], highest[dtype], lowest[dtype] + draw(0, 1), highest[dtype],
                     drawn_rule(dtype), drawn_rule(dtype)}, scale32, scale64};
  int64_t far = draw(0, 2) * 99;
  for (int64_t i = 0; i < n * count; i++) x[i] = drawn_float(&p.n, scale64[0], far);
  hwb_op op = {hwb_quantize_run, k, &p, 0};
  hwb_stats stats = fresh(0);
  const void *in[1] = {x};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * count; i++)
    expect_equal(hwb_load(y, dtype, i), wanted_code(&p, i % count < head ? &p.n.rule : &p.n.tail, x[i], &outside), "code",
                 k->name);
  expect_equal(stats.saturated, outside, "saturated", k->name);
  x[draw(0, count - 1)] = NAN, p.n.rule.lowest_nan = p.n.tail.lowest_nan = draw(0, 1);
  expect_equal(op.run(&op, in, y, n, NULL, &stats), p.n.rule.lowest_nan ? HWB_OK : HWB_NAN, "NaN", k->name);
  free(x), free(y), free(scale32), free(scale64);
}

static void check_to_floats(const hwb_kernels *k, int64_t dtype, int64_t count) {
  int64_t n = draw(1, 3), head = draw(0, count), codes = highest[dtype] - lowest[dtype] + 1;
  void *x = exact((size_t)(n * count) * hwb_size_of(dtype));
  float *y = exact((size_t)(n * count) * 4), *reals = exact((size_t)codes * 4), *tail = exact((size_t)codes * 4);
  for (int64_t i = 0; i < codes; i++) reals[i] = (float)draw(-999, 999) / 8, tail[i] = (float)draw(-999, 999) / 8;
  for (int64_t i = 0; i < n * count; i++) hwb_store(x, dtype, i, draw(lowest[dtype], highest[dtype]));
  hwb_dequantize p = {{dtype, lowest[dtype], count, head}, reals, tail};
  hwb_op op = {hwb_dequantize_run, k, &p, 0};
  hwb_stats stats = fresh(0);
  const void *in[1] = {x};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * count; i++) {
    float real = (i % count < head ? reals : tail)[hwb_load(x, dtype, i) - lowest[dtype]];
    expect(y[i] == real, "float", k->name, (int64_t)(y[i] * 8), (int64_t)(real * 8));
  }
  free(x), free(y), free(reals), free(tail);
}

static void check(const hwb_kernels *k) {
  const int64_t counts[] = {1, 7, 63, 64, 65, 200};
  for (int c = 0; c < 6; c++)
    for (int64_t dtype = HWB_S8; dtype <= HWB_S32; dtype++)
      for (int again = 0; again < 40; again++) {
        check_to_codes(k, dtype, counts[c]);
        if (dtype != HWB_S32 && again < 4) check_to_floats(k, dtype, counts[c]);
      }
}

int main(void) { return on_every_isa(check); }
