/* Sums, norms and extremes of stated taps against plain loops and inequalities in 128 bits, on exactly sized buffers. */
#include "check.h"
#include <hwblocks/taps.h>

typedef struct {
  hwb_taps t;
  int64_t *first, *weight;
  int32_t *at;
  int64_t samples;
  void *x;
} tap_case;

static tap_case draw_taps(int64_t dtype, int64_t zero) {
  tap_case c = {.samples = draw(1, 3)};
  int64_t inner = draw(0, 1) ? 1 : draw(2, 130), rows = draw(1, 9), positions = draw(1, 6);
  c.t = (hwb_taps){dtype, rows * inner, positions, inner};
  c.first = exact((size_t)(positions + 1) * 8);
  c.first[0] = 0;
  for (int64_t p = 0; p < positions; p++) c.first[p + 1] = c.first[p] + draw(0, 7);
  c.at = exact((size_t)c.first[positions] * 4), c.weight = exact((size_t)c.first[positions] * 8);
  for (int64_t k = 0; k < c.first[positions]; k++) {
    c.at[k] = (int32_t)(draw(0, rows - 1) * inner);
    c.weight[k] = draw(-9, 9);
  }
  c.x = exact((size_t)(c.samples * c.t.x_count) * hwb_size_of(dtype));
  for (int64_t i = 0; i < c.samples * c.t.x_count; i++) hwb_store(c.x, dtype, i, zero + draw(-100, 100));
  return c;
}

static void release(tap_case *c) { free(c->first), free(c->weight), free(c->at), free(c->x); }

static hwb_cast_numbers plain_end(void) {
  hwb_cast_numbers end = {.rounding = draw(HWB_FLOOR, HWB_HALF_ODD), .zero_point = draw(-9, 9), .bits = 64,
                          .is_signed = 1, .lo = -70000, .hi = 70000, .clamp_lo = -70000, .clamp_hi = 70000,
                          .out_dtype = HWB_S32};
  return end;
}

static int64_t power_of(int64_t v, int64_t power) {
  int64_t made = 1;
  for (int64_t i = 0; i < power; i++) made *= v < 0 ? -v : v;
  return made;
}

/* Of the largest h with h^power · B ≤ sum · A: floor of a root in halves, and whether it is that root. */
static int64_t root_in_halves(int64_t sum, int64_t a, int64_t b, int64_t power, int *whole) {
  int64_t h = power == 1 ? (int64_t)((hwb_int128)sum * a / b) : 0;
  while ((hwb_int128)power_of(h + 1, power) * b <= (hwb_int128)sum * a) h++;
  *whole = (hwb_int128)power_of(h, power) * b == (hwb_int128)sum * a;
  return h;
}

static void check_sum(const hwb_kernels *k, int64_t dtype) {
  int64_t zero = dtype == HWB_U8 ? 110 : draw(-20, 20), power = draw(0, 1) ? 0 : draw(1, 3), degree = power && draw(0, 2) ? power : 1;
  tap_case c = draw_taps(dtype, zero);
  int weighted = !power && draw(0, 1);
  int64_t num = draw(1, 12), den = draw(1, 12), ratio[4] = {num, 0, den, 0};
  int64_t a = power_of(2 * num, degree), b = power_of(den, degree), *divisor = exact((size_t)c.t.positions * 8);
  for (int64_t p = 0; p < c.t.positions; p++) divisor[p] = power ? 1 : draw(1, 9);
  uint32_t words[4] = {0, (uint32_t)a, 0, (uint32_t)b};
  double near[2] = {power ? (double)a / (double)b : (double)num / (double)den, 1e-9};
  hwb_tap_sum p = {{plain_end(), c.t, zero, power, degree, 1}, c.first, c.at, weighted ? c.weight : NULL,
                   power ? NULL : divisor, ratio, near, words};
  int64_t made = c.t.positions * c.t.inner;
  int32_t *y = exact((size_t)(c.samples * made) * 4);
  const void *in[1] = {c.x};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_tap_sum_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, c.samples, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < c.samples * made; i++) {
    int64_t at = i % made / c.t.inner, sum = 0, wanted;
    for (int64_t j = c.first[at]; j < c.first[at + 1]; j++) {
      int64_t v = hwb_load(c.x, dtype, i / made * c.t.x_count + c.at[j] + i % c.t.inner) - zero;
      sum += power ? power_of(v, power) : (weighted ? c.weight[j] : 1) * v;
    }
    if (power) {
      int whole;
      int64_t halves = root_in_halves(sum, a, b, degree, &whole);
      wanted = (int64_t)hwb_round_ratio(whole ? 2 * halves : 2 * halves + 1, 4, p.n.end.rounding);
    } else {
      wanted = (int64_t)hwb_round_ratio((hwb_int128)sum * num, den * divisor[at], p.n.end.rounding);
    }
    expect_equal(y[i], hwb_min(hwb_max(wanted + p.n.end.zero_point, -70000), 70000), "sum of taps", k->name);
  }
  release(&c);
  free(divisor), free(y);
}

static void check_extreme(const hwb_kernels *k, int64_t dtype) {
  tap_case c = draw_taps(dtype, dtype == HWB_U8 ? 100 : 0);
  int64_t largest = draw(0, 1), lowest = dtype == HWB_U8 ? 3 : -77, made = c.t.positions * c.t.inner;
  hwb_tap_extreme p = {{c.t, lowest, largest}, c.first, c.at};
  void *y = exact((size_t)(c.samples * made) * hwb_size_of(dtype));
  const void *in[1] = {c.x};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_tap_extreme_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, c.samples, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < c.samples * made; i++) {
    int64_t at = i % made / c.t.inner, wanted = lowest;
    for (int64_t j = c.first[at]; j < c.first[at + 1]; j++) {
      int64_t v = hwb_load(c.x, dtype, i / made * c.t.x_count + c.at[j] + i % c.t.inner);
      if (j == c.first[at] || (largest ? v > wanted : v < wanted)) wanted = v;
    }
    expect_equal(hwb_load(y, dtype, i), wanted, "extreme of taps", k->name);
  }
  release(&c);
  free(y);
}

static void check_taps(const hwb_kernels *k) {
  static const int64_t dtypes[] = {HWB_S8, HWB_U8, HWB_S16, HWB_S32};
  for (int round = 0; round < 120; round++) {
    check_sum(k, dtypes[round % 4]);
    check_extreme(k, dtypes[round % 4]);
  }
}

int main(void) { return on_every_isa(check_taps); }
