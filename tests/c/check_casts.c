/* Casts against a definition written anew here: every scheme, rounding, overflow, width and storage type. */
#include "check.h"

enum { BIAS_PEAK = 5000, SUM_PEAK = INT32_MAX - BIAS_PEAK - 32768 }; /* 32768: the largest zero point drawn */
enum { CHANNELS = 16, SPARE = 16, COLUMNS_BYTES = CHANNELS * 4 };

typedef struct {
  hwb_cast cast;
  int64_t bias[CHANNELS + SPARE], numerator[2 * (CHANNELS + SPARE)], denominator[2 * (CHANNELS + SPARE)];
  int32_t bias32[CHANNELS + SPARE], multiplier[CHANNELS + SPARE], shift[CHANNELS + SPARE];
  float scale32[CHANNELS + SPARE];
  double scale64[CHANNELS + SPARE];
} cast_case;

static hwb_int128 floor_div(hwb_int128 num, hwb_int128 den) {
  hwb_int128 q = num / den;
  return num % den < 0 ? q - 1 : q;
}

/* num / den by formulas on floor alone: half_up(v) = floor(v + 1/2), half_down(v) = -half_up(-v), and so on. */
static hwb_int128 rounded(hwb_int128 num, hwb_int128 den, int64_t mode) {
  hwb_int128 up = floor_div(2 * num + den, 2 * den), down = -floor_div(-2 * num + den, 2 * den);
  hwb_int128 low = floor_div(num, den), high = -floor_div(-num, den);
  switch (mode) {
  case HWB_FLOOR: return low;
  case HWB_CEIL: return high;
  case HWB_TO_ZERO: return num < 0 ? high : low;
  case HWB_AWAY: return num < 0 ? low : high;
  case HWB_HALF_UP: return up;
  case HWB_HALF_DOWN: return down;
  case HWB_HALF_AWAY: return num < 0 ? down : up;
  case HWB_HALF_TO_ZERO: return num < 0 ? up : down;
  case HWB_HALF_EVEN: return up % 2 == 0 ? up : down;
  default: return up % 2 == 0 ? down : up;
  }
}

/* A binary64 number as an exact fraction with a power-of-two denominator; |x| within 2^62, steps no finer than 2^-60. */
static hwb_int128 rounded_real(double x, int64_t mode) {
  hwb_int128 den = (hwb_int128)1 << 60;
  return rounded((hwb_int128)(x * 1152921504606846976.0), den, mode);
}

static hwb_int128 power(int64_t exponent) { return (hwb_int128)1 << (exponent > 0 ? exponent : 0); }

static hwb_int128 wanted_double(const hwb_cast *c, int64_t acc, int64_t i) {
  int64_t shift = c->shift[i];
  int32_t moved = (int32_t)(uint32_t)((uint64_t)acc << (shift < 0 ? -shift : 0));
  hwb_int128 high = rounded((hwb_int128)moved * c->multiplier[i], power(31), c->n.first_rounding);
  if (high > INT32_MAX) high = INT32_MAX;
  return rounded(high + (c->n.zero_inside ? c->n.zero_point * power(shift) : 0), power(shift), c->n.rounding);
}

/* v modulo 2^bits, as a code of the format. */
static hwb_int128 wrapped(hwb_int128 v, int64_t bits, int is_signed) {
  hwb_int128 span = (hwb_int128)1 << bits, low = v - floor_div(v, span) * span;
  return is_signed && low >= span / 2 ? low - span : low;
}

static hwb_int128 wanted_value(const hwb_cast *c, int64_t acc, int64_t i) {
  hwb_int128 zero = c->n.zero_inside ? c->n.zero_point : 0, den = power(c->shift[i]), num;
  switch (c->n.scheme) {
  case HWB_DOUBLE_ROUND: return wanted_double(c, acc, i);
  case HWB_FLOAT32: return rounded_real((double)((float)acc * c->scale32[i] + (float)zero), c->n.rounding);
  case HWB_FLOAT64: return rounded_real((double)acc * c->scale64[i] + (double)zero, c->n.rounding);
  case HWB_EXACT:
    den = c->denominator[2 * i], num = (hwb_int128)acc * c->numerator[2 * i];
    return rounded(num + zero * den, den, c->n.rounding);
  default:
    num = (hwb_int128)acc * c->multiplier[i] * power(-c->shift[i]);
    num = rounded(num + zero * den, den, c->n.rounding);
    return c->n.scheme == HWB_Q16 ? wrapped(num, 32, 1) : num;
  }
}

static int64_t wanted_code(const hwb_cast *c, int64_t sum, int64_t i, hwb_stats *stats) {
  const hwb_cast_numbers *n = &c->n;
  hwb_int128 acc = sum + c->bias[i];
  hwb_int128 held = n->accumulator_bits < 64 ? wrapped(acc, n->accumulator_bits, 1) : acc;
  stats->outside += held != acc;
  if (stats->level >= 2 && held < stats->lowest) stats->lowest = (int64_t)held;
  if (stats->level >= 2 && held > stats->highest) stats->highest = (int64_t)held;
  if (n->scheme == HWB_RAW) return (int64_t)held;
  hwb_int128 v = wanted_value(c, (int64_t)held, i) + (n->zero_inside ? 0 : n->zero_point);
  int outside = v < n->lo || v > n->hi;
  stats->saturated += v < n->lo ? n->counts_low : v > n->hi ? n->counts_high : 0;
  if (outside) v = n->overflow == HWB_WRAP ? wrapped(v, n->bits, (int)n->is_signed) : v < n->lo ? n->lo : n->hi;
  if (v < n->clamp_lo) v = n->clamp_lo;
  return v > n->clamp_hi ? n->clamp_hi : (int64_t)v;
}

/* The storage type, and a width that it holds (4 bits in 8 included). */
static void draw_format(hwb_cast_numbers *n, int64_t scheme) {
  static const int64_t bits[] = {8, 8, 16, 16, 32};
  n->out_dtype = scheme == HWB_RAW ? HWB_S32 : draw(HWB_S8, HWB_S32);
  n->is_signed = n->out_dtype != HWB_U8 && n->out_dtype != HWB_U16;
  n->bits = draw(0, 3) ? bits[n->out_dtype] : 4;
  n->lo = n->is_signed ? -((int64_t)1 << (n->bits - 1)) : 0;
  n->hi = ((int64_t)1 << (n->bits - n->is_signed)) - 1;
  n->clamp_lo = n->lo, n->clamp_hi = n->hi;
  if (draw(0, 2) == 0) n->clamp_lo = draw(n->lo, n->hi), n->clamp_hi = draw(n->clamp_lo, n->hi);
  n->zero_point = n->bits > 16 ? 0 : draw(n->lo, n->hi);
}

/* What binding proves before it sets `vector` (numerics/kernels/cast.py); draw_sum keeps the rest of that contract,
 * sums whose distance from the ends of 32 bits leaves room for the zero point. */
static int64_t suits_vectors(const hwb_cast *c) {
  const hwb_cast_numbers *n = &c->n;
  int64_t low = 0, high = 31;
  if ((n->zero_inside && n->scheme != HWB_FLOAT32) || n->overflow != HWB_SATURATE || n->out_dtype > HWB_S16) return 0;
  if (n->scheme == HWB_FLOAT32) return n->rounding == HWB_HALF_EVEN;
  if (n->scheme == HWB_FLOAT64) return n->rounding == HWB_HALF_EVEN || n->rounding == HWB_HALF_AWAY;
  if (n->scheme == HWB_DOUBLE_ROUND) {
    if (n->first_rounding != HWB_HALF_UP || (n->rounding != HWB_HALF_UP && n->rounding != HWB_HALF_AWAY)) return 0;
  } else if (n->rounding != HWB_HALF_UP || (n->scheme != HWB_SHIFT && n->scheme != HWB_SINGLE_ROUND)) {
    return 0;
  }
  if (n->scheme == HWB_SINGLE_ROUND) low = 32, high = 62;
  for (int i = 0; i < CHANNELS; i++)
    if (c->shift[i] < low || c->shift[i] > high) return 0;
  return 1;
}

static int64_t draw_shift(int64_t scheme, int common) {
  if (scheme == HWB_SINGLE_ROUND) return common ? draw(32, 45) : draw(1, 62);
  if (scheme == HWB_Q16) return draw(8, 40);
  return common ? draw(0, 12) : draw(-6, 31);
}

static void make_cast(cast_case *c, int64_t scheme) {
  hwb_cast_numbers *n = &c->cast.n;
  int common = draw(0, 1) == 0;
  memset(c, 0, sizeof *c);
  n->scheme = scheme;
  n->rounding = common ? (scheme == HWB_FLOAT32 || scheme == HWB_FLOAT64 ? HWB_HALF_EVEN : HWB_HALF_UP) : draw(HWB_FLOOR, HWB_HALF_ODD);
  if (common && (scheme == HWB_DOUBLE_ROUND || scheme == HWB_FLOAT64) && draw(0, 1)) n->rounding = HWB_HALF_AWAY;
  n->first_rounding = common ? HWB_HALF_UP : draw(HWB_FLOOR, HWB_HALF_ODD);
  n->counts_low = draw(0, 2) > 0, n->counts_high = draw(0, 2) > 0;
  n->overflow = common ? HWB_SATURATE : draw(HWB_SATURATE, HWB_WRAP);
  n->zero_inside = (!common || scheme == HWB_FLOAT32) && draw(0, 1);
  n->accumulator_bits = draw(0, 1) ? 64 : draw(8, 32);
  draw_format(n, scheme);
  for (int i = 0; i < CHANNELS + SPARE; i++) {
    c->bias32[i] = (int32_t)(c->bias[i] = draw(-BIAS_PEAK, BIAS_PEAK));
    c->multiplier[i] = scheme == HWB_SHIFT ? 1 : scheme == HWB_Q16 ? (int32_t)draw(1, 32767) : (int32_t)draw(1 << 30, INT32_MAX);
    c->shift[i] = (int32_t)draw_shift(scheme, common);
    c->scale64[i] = draw(0, 1) ? (double)draw(1, 1 << 20) / 16777216.0 : 1.0 / (double)(1 << draw(1, 12)); /* ties */
    c->scale32[i] = (float)c->scale64[i];
    c->numerator[2 * i] = draw(1, 1 << 30), c->denominator[2 * i] = draw(1 << 20, (int64_t)1 << 40);
  }
  hwb_cast cast = {*n, c->bias, c->bias32, c->multiplier, c->shift, c->scale32, c->scale64, c->numerator, c->denominator};
  c->cast = cast;
  c->cast.n.vector = suits_vectors(&cast);
}

/* Sums near zero (ties of shifts), of middle size, and at the ends of what the vector paths promise. */
static int64_t draw_sum(void) {
  switch (draw(0, 3)) {
  case 0: return draw(-40, 40);
  case 1: return draw(-70000, 70000);
  case 2: return draw(-(1 << 24), 1 << 24);
  default: return draw(0, 1) ? -SUM_PEAK : SUM_PEAK;
  }
}

static void compare(const hwb_kernels *k, const hwb_cast *c, int64_t width, int64_t level, int wide) {
  size_t bytes = (size_t)width * hwb_size_of(c->n.out_dtype);
  void *y = exact(bytes);
  int32_t *narrow = exact(COLUMNS_BYTES);
  int64_t *sums = exact(2 * COLUMNS_BYTES);
  hwb_stats got = fresh(level), want = fresh(level);
  for (int64_t i = 0; i < CHANNELS; i++) narrow[i] = (int32_t)(sums[i] = draw_sum());
  if (wide) k->cast_s64(c, sums, 0, width, y, &got);
  else k->cast_s32(c, narrow, 0, width, y, &got);
  for (int64_t i = 0; i < width; i++)
    expect_equal(hwb_load(y, c->n.out_dtype, i), wanted_code(c, sums[i], i, &want), "code", k->name);
  expect_equal(got.saturated, want.saturated, "saturated", k->name);
  expect_equal(got.outside, want.outside, "outside", k->name);
  if (level == 2) {
    expect_equal(got.lowest, want.lowest, "lowest", k->name);
    expect_equal(got.highest, want.highest, "highest", k->name);
  }
  free(y);
  free(narrow);
  free(sums);
}

static void check_casts(const hwb_kernels *k) {
  static cast_case c;
  long vector = 0;
  for (int64_t scheme = HWB_RAW; scheme <= HWB_EXACT; scheme++)
    for (int round = 0; round < 400; round++) {
      make_cast(&c, scheme);
      vector += c.cast.n.vector != 0;
      for (int64_t width = 1; width <= CHANNELS; width++) compare(k, &c.cast, width, 1 + round % 2, round % 3 == 0);
    }
  expect(vector > 100, "casts that suit the vector paths", k->name, vector, 100);
}

int main(void) { return on_every_isa(check_casts); }
