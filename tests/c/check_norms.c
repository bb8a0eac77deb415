/* Normalization against inequalities of whole numbers in 128 bits: every code must hold the exact value of its element.
   The checks of whole numbers come first. */
#include "../../csrc/ops/settled.h"
#include "../../csrc/ops/whole.h"
#include "check.h"
#include <hwblocks/norms.h>

enum { MOST = 600, LIMBS = 3 };

static void check_whole_numbers(const hwb_kernels *k) {
  int64_t a = draw(-(1LL << 40), 1LL << 40), b = draw(0, 3) ? draw(-(1LL << 40), 1LL << 40) : draw(-2, 2);
  hwb_whole wa = hwb_whole_of(a), wb = hwb_whole_of(b), product = hwb_whole_product(&wa, &wb);
  hwb_whole sum = hwb_whole_sum(&wa, &wb), less = hwb_whole_less(&wa, &wb);
  hwb_whole wanted[3] = {hwb_whole_of((hwb_int128)a * b), hwb_whole_of((hwb_int128)a + b), hwb_whole_of((hwb_int128)a - b)};
  hwb_whole *made[3] = {&product, &sum, &less};
  for (int i = 0; i < 3; i++) expect_equal(hwb_whole_compare(made[i], &wanted[i]), 0, "whole number", k->name);
  expect_equal(hwb_whole_compare(&wa, &wb), (a > b) - (a < b), "comparison", k->name);
  hwb_whole square = hwb_whole_product(&product, &product), more = hwb_whole_of(1);
  more = hwb_whole_sum(&square, &more);
  expect_equal(hwb_whole_compare(&square, &more), -1, "a number and the next", k->name);
}

/* The rounding of a multiple of a quarter of a half, as an estimate and at its point. */
static void check_settling(const hwb_kernels *k) {
  int64_t eighths = draw(-80, 80), mode = draw(HWB_FLOOR, HWB_HALF_ODD);
  int64_t wanted = (int64_t)hwb_round_ratio(eighths, 8, mode), halves = (int64_t)hwb_nearest((double)eighths / 4);
  int side = eighths > 4 * halves ? 1 : eighths < 4 * halves ? -1 : 0;
  expect_equal(hwb_settled_at(halves, side, mode), wanted, "settled at a point", k->name);
  if (!hwb_is_doubtful((double)eighths / 8, 1e-9, mode))
    expect_equal((int64_t)hwb_settled((double)eighths / 8, mode), wanted, "settled", k->name);
}

/* One normalization: gain p / q and offset r / q in halves, eps = beta / gamma in units of d². */
typedef struct {
  int64_t p[MOST], r[MOST], q, count, eps;
  hwb_norm_numbers n;
} norm_case;

static void put(uint32_t *words, int64_t value) {
  uint64_t size = (uint64_t)(value < 0 ? -value : value);
  words[0] = value < 0, words[1] = (uint32_t)size, words[2] = (uint32_t)(size >> 32), words[3] = 0;
}

/* The sign of 2 · value − halves of an element with deviation d in a group with Σ d² = total. */
static int side(const norm_case *c, int64_t i, int64_t d, int64_t total, int64_t halves) {
  hwb_int128 square = total + (hwb_int128)c->eps * c->count, t = (hwb_int128)halves * c->q - c->r[i];
  hwb_int128 left = (hwb_int128)c->p[i] * d; /* left against t · √(square / count) */
  if (!square) return t < 0 ? 1 : t > 0 ? -1 : 0;
  int of_left = left > 0 ? 1 : left < 0 ? -1 : 0, of_right = t > 0 ? 1 : t < 0 ? -1 : 0;
  if (of_left != of_right) return of_left > of_right ? 1 : -1;
  hwb_int128 a = left * left * c->count, b = t * t * square;
  return of_left * (a > b ? 1 : a < b ? -1 : 0);
}

/* A code of the floor holds [2 y, 2 y + 2) halves, one of the nearest [2 y − 1, 2 y + 1], the ends by their parity. */
static int holds(const norm_case *c, int64_t i, int64_t d, int64_t total, int64_t y) {
  if (c->n.end.rounding == HWB_FLOOR) return side(c, i, d, total, 2 * y) >= 0 && side(c, i, d, total, 2 * y + 2) < 0;
  int low = side(c, i, d, total, 2 * y - 1), high = side(c, i, d, total, 2 * y + 1);
  return y % 2 ? low > 0 && high < 0 : low >= 0 && high <= 0;
}

static void check_norm(const hwb_kernels *k, int64_t dtype) {
  norm_case c = {.q = draw(1, 40), .eps = draw(0, 2) ? 0 : draw(1, 50)};
  int64_t rows = draw(1, 6), groups = draw(1, 5), width = draw(1, 4), outer = draw(1, 2), n = draw(1, 2);
  int64_t row = groups * width, part = rows * row, centred = draw(0, 1), zero = dtype == HWB_S8 ? draw(-5, 5) : 128;
  c.count = rows * width;
  hwb_cast_numbers end = {.rounding = draw(0, 1) ? HWB_FLOOR : HWB_HALF_EVEN, .zero_point = draw(-4, 4), .bits = 64,
                          .is_signed = 1, .lo = INT16_MIN, .hi = INT16_MAX, .clamp_lo = INT16_MIN, .clamp_hi = INT16_MAX,
                          .out_dtype = HWB_S16};
  hwb_norm_numbers numbers = {end, dtype, zero, outer, rows, groups, width, centred, HWB_BY_ROOT, c.count, 0, 0, row, row, LIMBS};
  c.n = numbers;
  double *gain = exact((size_t)row * 8), *offset = exact((size_t)row * 8);
  double near[4] = {1.0 / (double)c.count, (double)c.eps, 0, 1e-9};
  uint32_t *parameters = exact((size_t)row * 3 * (LIMBS + 1) * 4), group[5 * (LIMBS + 1)];
  for (int64_t i = 0; i < row; i++) {
    c.p[i] = draw(-60, 60), c.r[i] = draw(-60, 60);
    gain[i] = (double)c.p[i] / (double)c.q / 2, offset[i] = (double)c.r[i] / (double)c.q / 2;
    uint32_t *own = parameters + i * 3 * (LIMBS + 1);
    put(own, c.p[i]), put(own + LIMBS + 1, c.r[i]), put(own + 2 * (LIMBS + 1), c.q);
  }
  int64_t constants[5] = {1, c.eps * c.count, c.count, 0, 1}, more[2] = {0, 0};
  for (int i = 0; i < 5; i++) put(group + i * (LIMBS + 1), constants[i]);
  hwb_norm p = {c.n, near, gain, offset, parameters, group, more, NULL};
  int64_t size = n * outer * part, span = draw(0, 3) ? 100 : 1;
  void *x = exact((size_t)size * hwb_size_of(dtype)), *scratch = exact(hwb_norm_scratch_bytes(&p));
  for (int64_t i = 0; i < size; i++) hwb_store(x, dtype, i, zero + draw(-span, span));
  int16_t *y = exact((size_t)size * 2);
  const void *in[1] = {x};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_norm_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, n, scratch, &stats), HWB_OK, "status", k->name);
  expect_equal(stats.saturated, 0, "saturated", k->name);
  for (int64_t o = 0; o < n * outer; o++)
    for (int64_t g = 0; g < groups; g++) {
      int64_t sum = 0, total = 0, d[MOST];
      for (int64_t e = 0; e < c.count; e++)
        sum += hwb_load(x, dtype, o * part + e / width * row + g * width + e % width) - zero;
      for (int64_t e = 0; e < c.count; e++) {
        int64_t v = hwb_load(x, dtype, o * part + e / width * row + g * width + e % width) - zero;
        d[e] = centred ? c.count * v - sum : v;
        total += d[e] * d[e];
      }
      for (int64_t e = 0; e < c.count; e++) {
        int64_t column = g * width + e % width, code = y[o * part + e / width * row + column] - end.zero_point;
        expect(holds(&c, column, d[e], total, code), "norm", k->name, code, d[e]);
      }
    }
  free(gain), free(offset), free(parameters), free(x), free(y), free(scratch);
}

static void check_norms(const hwb_kernels *k) {
  for (int round = 0; round < 300; round++) {
    for (int i = 0; i < 20; i++) check_whole_numbers(k), check_settling(k);
    check_norm(k, round % 2 ? HWB_S8 : HWB_U8);
  }
}

int main(void) { return on_every_isa(check_norms); }
