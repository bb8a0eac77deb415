/* Casts against a definition written anew here: every scheme, rounding, overflow, width, storage type and vector form. */
#include "check.h"
#include <hwblocks/lines.h>
#include <math.h>

enum { BIAS_PEAK = 5000, SUM_PEAK = INT32_MAX - BIAS_PEAK - 32768 }; /* 32768: the largest zero point drawn */
enum { CHANNELS = 40, SPARE = 16, ENTRIES = CHANNELS + SPARE };

typedef struct {
  hwb_cast cast;
  int64_t peak; /* of sums without bias: what the binding proved */
  int64_t bias[ENTRIES], numerator[2 * ENTRIES], denominator[2 * ENTRIES], addend[ENTRIES], addend_below[ENTRIES];
  int32_t bias32[ENTRIES], multiplier[ENTRIES], shift[ENTRIES], left[ENTRIES], factor[ENTRIES], right[ENTRIES];
  int32_t line_shift[ENTRIES];
  float scale32[ENTRIES], line_slope[ENTRIES], line_offset[ENTRIES], line_below[ENTRIES];
  double scale64[ENTRIES];
} cast_case;

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

/* What a right shift by `shift` adds before it so that flooring rounds values of one sign; −1 where no constant does.
   The smallest rest that goes up decides: ones above it must go up too, whatever the parity of the whole part. */
static hwb_int128 addend_of(int64_t mode, int64_t shift, int negative) {
  hwb_int128 den = (hwb_int128)1 << shift, whole = negative ? -4 * den : 4 * den, half = den / 2;
  hwb_int128 rests[3] = {1, half, half + 1};
  if (shift == 0) return 0;
  for (int i = 0; i < 3; i++) {
    int up = rounded(whole + rests[i], den, mode) > floor_div(whole, den);
    int other = rounded(whole + den + rests[i], den, mode) > floor_div(whole + den, den);
    if (up != other) return -1;
    if (up && rests[i] < den) return den - rests[i];
  }
  return 0;
}

static hwb_int128 magnitude(hwb_int128 v) { return v < 0 ? -v : v; }

/* The whole right shift of a channel, and what is added before it for one sign; −1 where there is none. */
static hwb_int128 whole_rounding(const hwb_cast_numbers *n, int64_t right, int negative, int64_t *total) {
  hwb_int128 last = addend_of(n->rounding, right, negative);
  *total = right;
  if (n->scheme != HWB_DOUBLE_ROUND) return last;
  hwb_int128 first = addend_of(n->first_rounding, 31, 0);
  *total = right + 31;
  if (first < 0 || last < 0 || first != addend_of(n->first_rounding, 31, 1)) return -1;
  return first + last * power(31);
}

/* One channel's affine constants: the growth up to bit 32 is shared at random between the factor and a left shift.
   0 where the contract of enum hwb_vector cannot be met. */
static int affine_channel(cast_case *c, int64_t i, int64_t bound) {
  const hwb_cast_numbers *n = &c->cast.n;
  int64_t total, right = c->shift[i] > 0 ? c->shift[i] : 0, gain = c->shift[i] < 0 ? -c->shift[i] : 0, most = 0;
  hwb_int128 above = whole_rounding(n, right, 0, &total), below = whole_rounding(n, right, 1, &total);
  int64_t lift = total < 32 ? 32 - total : 0, factor = c->multiplier[i];
  if (above < 0 || below < 0 || (n->zero_inside && above != below) || total + lift > 63) return 0;
  while (most < gain + lift && factor << (most + 1) <= INT32_MAX) most++;
  int64_t least = gain + lift, held = most;
  while (least > 0 && bound * power(gain + lift - least + 1) <= INT32_MAX) least--;
  if (least > most) return 0;
  held = draw(least, most);
  c->left[i] = (int32_t)(gain + lift - held), c->factor[i] = (int32_t)(factor << held), c->right[i] = (int32_t)(total + lift - 32);
  above = above * power(lift) + n->zero_point * power(total + lift), below = below * power(lift) + n->zero_point * power(total + lift);
  hwb_int128 reach = bound * power(c->left[i]) * c->factor[i];
  if (reach + magnitude(above) > INT64_MAX || reach + magnitude(below) > INT64_MAX) return 0;
  c->addend[i] = (int64_t)above, c->addend_below[i] = (int64_t)below;
  return 1;
}

/* The affine form where every channel has one; spare entries hold what must never decide anything. */
static int64_t affine_form(cast_case *c, int64_t bound) {
  int same = 1, shifted = 0;
  for (int i = 0; i < CHANNELS; i++) {
    if (!affine_channel(c, i, bound)) return HWB_SCALAR;
    same = same && c->addend[i] == c->addend_below[i];
    shifted = shifted || c->left[i];
  }
  for (int i = CHANNELS; i < ENTRIES; i++) {
    c->left[i] = (int32_t)draw(0, 31), c->right[i] = (int32_t)draw(0, 31), c->factor[i] = (int32_t)draw(0, INT32_MAX);
    c->addend[i] = c->addend_below[i] = draw(-INT32_MAX, INT32_MAX);
  }
  c->cast.left = shifted || draw(0, 1) ? c->left : NULL;
  return same && draw(0, 2) ? HWB_AFFINE : HWB_AFFINE_BY_SIGN;
}

/* (v · factor + addend) >> right of sums that leave 32 bits. */
static int64_t wide_form(cast_case *c, int64_t bound) {
  const hwb_cast_numbers *n = &c->cast.n;
  if (n->overflow != HWB_SATURATE || n->out_dtype > HWB_S32 || n->scheme < HWB_SHIFT || n->scheme > HWB_SINGLE_ROUND) return HWB_SCALAR;
  for (int i = 0; i < ENTRIES; i++) {
    int64_t shift = c->shift[i];
    if (shift < 1 || shift > 62) return HWB_SCALAR;
    hwb_int128 above = addend_of(n->rounding, shift, 0), below = addend_of(n->rounding, shift, 1), zero = n->zero_point * power(shift);
    if (above < 0 || below < 0 || (n->zero_inside && above != below)) return HWB_SCALAR;
    hwb_int128 reach = (hwb_int128)bound * c->multiplier[i];
    if (reach + magnitude(above + zero) > INT64_MAX || reach + magnitude(below + zero) > INT64_MAX) return HWB_SCALAR;
    c->factor[i] = c->multiplier[i], c->right[i] = (int32_t)shift;
    c->addend[i] = (int64_t)(above + zero), c->addend_below[i] = (int64_t)(below + zero);
  }
  return HWB_WIDE;
}

/* The vector form that suits a cast, by what its contract says (enum hwb_vector); draw_sum stays within the bound. */
static int64_t vector_of(cast_case *c) {
  const hwb_cast_numbers *n = &c->cast.n;
  if (n->scheme == HWB_RAW) return n->out_dtype == HWB_S32 ? HWB_STORED : HWB_SCALAR;
  if (n->overflow != HWB_SATURATE || n->scheme == HWB_EXACT || n->out_dtype > HWB_S32) return HWB_SCALAR;
  if (n->scheme == HWB_FLOAT32) return n->bits <= 16 && n->rounding == HWB_HALF_EVEN ? HWB_REAL32 : HWB_SCALAR;
  if (n->scheme != HWB_FLOAT64) return affine_form(c, c->peak + BIAS_PEAK);
  int known = n->rounding == HWB_HALF_EVEN || n->rounding == HWB_HALF_AWAY;
  return n->bits <= 16 && known && !n->zero_inside ? HWB_REAL64 : HWB_SCALAR;
}

static int64_t draw_shift(int64_t scheme, int common) {
  if (scheme == HWB_SINGLE_ROUND) return common ? draw(30, 45) : draw(1, 62);
  if (scheme == HWB_Q16) return draw(8, 40);
  return common ? draw(0, 12) : draw(-6, 31);
}

static void draw_modes(hwb_cast_numbers *n, int64_t scheme, int common) {
  int real = scheme == HWB_FLOAT32 || scheme == HWB_FLOAT64;
  n->scheme = scheme;
  n->rounding = common ? (real ? HWB_HALF_EVEN : HWB_HALF_UP) : draw(HWB_FLOOR, HWB_HALF_ODD);
  if (common && scheme != HWB_FLOAT32 && draw(0, 1)) n->rounding = HWB_HALF_AWAY;
  n->first_rounding = common ? HWB_HALF_UP : draw(HWB_FLOOR, HWB_HALF_ODD);
  n->counts_low = draw(0, 2) > 0, n->counts_high = draw(0, 2) > 0;
  n->overflow = draw(0, 5) ? HWB_SATURATE : HWB_WRAP;
  n->zero_inside = (!common || scheme == HWB_FLOAT32) && draw(0, 1);
  n->accumulator_bits = draw(0, 1) ? 64 : draw(8, 32);
  draw_format(n, scheme);
}

static void draw_constants(cast_case *c, int64_t scheme, int common) {
  for (int i = 0; i < ENTRIES; i++) {
    c->bias32[i] = (int32_t)(c->bias[i] = draw(-BIAS_PEAK, BIAS_PEAK));
    c->multiplier[i] = scheme == HWB_SHIFT ? 1 : scheme == HWB_Q16 ? (int32_t)draw(1, 32767) : (int32_t)draw(1 << 30, INT32_MAX);
    c->shift[i] = (int32_t)draw_shift(scheme, common);
    c->scale64[i] = draw(0, 1) ? (double)draw(1, 1 << 20) / 16777216.0 : 1.0 / (double)(1 << draw(1, 12)); /* ties */
    c->scale32[i] = (float)c->scale64[i];
    c->numerator[2 * i] = draw(1, 1 << 30), c->denominator[2 * i] = draw(1 << 20, (int64_t)1 << 40);
  }
}

/* What one unit of a sum adds to a code. */
static double slope_of(const cast_case *c, int64_t i) {
  switch (c->cast.n.scheme) {
  case HWB_FLOAT32: return (double)c->scale32[i];
  case HWB_FLOAT64: return c->scale64[i];
  case HWB_EXACT: return (double)c->numerator[2 * i] / (double)c->denominator[2 * i];
  default: return ldexp(c->multiplier[i], -c->shift[i] - (c->cast.n.scheme == HWB_DOUBLE_ROUND ? 31 : 0));
  }
}

/* Whether a cast may be given lines: codes of 8 bits that saturate, a register that holds every sum, nothing wraps. */
static int may_have_lines(const cast_case *c, int64_t bound, const double *slopes) {
  const hwb_cast_numbers *n = &c->cast.n;
  if (n->scheme == HWB_RAW || n->out_dtype > HWB_U8 || n->overflow != HWB_SATURATE) return 0;
  if (n->accumulator_bits < 64 && bound >= (int64_t)1 << (n->accumulator_bits - 1)) return 0;
  for (int i = 0; i < CHANNELS; i++) {
    if (n->scheme == HWB_Q16 && slopes[i] * (double)bound >= 2147483647.0) return 0;
    if (n->scheme == HWB_DOUBLE_ROUND && c->shift[i] < 0 && bound << -c->shift[i] > INT32_MAX) return 0;
  }
  return 1;
}

/* Lines where the core finds some; what follows the last channel passes. */
static void draw_lines(cast_case *c) {
  double slopes[CHANNELS];
  hwb_lines lines = {c->line_shift, c->line_slope, c->line_offset, c->line_below};
  for (int i = 0; i < CHANNELS; i++) slopes[i] = slope_of(c, i);
  for (int i = CHANNELS; i < ENTRIES; i++) c->line_slope[i] = 1.0f;
  if (may_have_lines(c, c->peak + BIAS_PEAK, slopes))
    c->cast.n.lines = hwb_find_lines(&c->cast, CHANNELS, c->peak + BIAS_PEAK, slopes, &lines);
}

static void make_cast(cast_case *c, int64_t scheme, int wide) {
  static const int64_t peaks[] = {40, 70000, 1 << 24, SUM_PEAK};
  int common = draw(0, 1) == 0;
  memset(c, 0, sizeof *c);
  draw_modes(&c->cast.n, scheme, common);
  if (wide && scheme == HWB_RAW) c->cast.n.out_dtype = HWB_S64;
  if (wide && draw(0, 1)) c->cast.n.accumulator_bits = draw(28, 60);
  draw_constants(c, scheme, common);
  c->peak = peaks[draw(0, 3)];
  if (wide && scheme <= HWB_SINGLE_ROUND) c->peak = (int64_t)1 << draw(30, scheme == HWB_SINGLE_ROUND ? 32 : 45);
  hwb_cast cast = {c->cast.n, c->bias, c->bias32, c->multiplier, c->shift, c->scale32, c->scale64, c->numerator,
                   c->denominator, NULL, c->factor, c->right, c->addend, c->addend_below,
                   c->line_shift, c->line_slope, c->line_offset, c->line_below};
  c->cast = cast;
  c->cast.n.vector = wide ? wide_form(c, c->peak + BIAS_PEAK) : vector_of(c);
  if (!wide && draw(0, 1)) draw_lines(c);
}

/* Sums near zero (ties of shifts), of any size, and at the ends of what the vector forms promise. */
static int64_t draw_sum(int64_t peak) {
  switch (draw(0, 3)) {
  case 0: return draw(-40, 40);
  case 1: return draw(-peak, peak);
  case 2: return draw(-hwb_min(peak, 70000), hwb_min(peak, 70000));
  default: return draw(0, 1) ? -peak : peak;
  }
}

static void expect_stats(const hwb_stats *got, const hwb_stats *want, const char *isa) {
  expect_equal(got->outside, want->outside, "outside", isa);
  if (got->level >= 1) expect_equal(got->saturated, want->saturated, "saturated", isa);
  if (got->level < 2) return;
  expect_equal(got->lowest, want->lowest, "lowest", isa);
  expect_equal(got->highest, want->highest, "highest", isa);
}

/* Codes of a block, and that what lies between its rows of output was left alone. */
static void expect_codes(const hwb_block *b, const hwb_cast *c, const int64_t *sums, size_t bytes, hwb_stats *want, const char *isa) {
  int64_t used = b->width * (int64_t)hwb_size_of(c->n.out_dtype);
  for (int64_t i = 0; i < b->rows; i++)
    for (int64_t j = 0; j < b->width; j++)
      expect_equal(hwb_load(b->y + i * b->y_step, c->n.out_dtype, j), wanted_code(c, sums[i * b->step + j], b->channel + j, want), "code", isa);
  for (size_t at = 0; at < bytes; at++)
    if ((int64_t)at % b->y_step >= used) expect_equal((uint8_t)b->y[at], 0xA5, "byte between rows", isa);
}

/* One block of sums: 15 more than it holds may be read, none of its output may lie outside. */
static void compare(const hwb_kernels *k, const cast_case *c, int64_t rows, int64_t width, int64_t level, int wide) {
  int64_t step = width + draw(0, 9), size = (int64_t)hwb_size_of(c->cast.n.out_dtype), y_step = size * (width + draw(0, 5));
  int64_t count = (rows - 1) * step + width + 15;
  size_t bytes = (size_t)((rows - 1) * y_step + width * size);
  hwb_block block = {NULL, step, rows, draw(0, CHANNELS - width), width, exact(bytes), y_step};
  int32_t *narrow = exact((size_t)count * 4);
  int64_t *sums = exact((size_t)count * 8);
  hwb_stats got = fresh(level), want = fresh(level);
  for (int64_t i = 0; i < count; i++) narrow[i] = (int32_t)(sums[i] = draw_sum(c->peak));
  memset(block.y, 0xA5, bytes);
  block.sums = wide ? (const void *)sums : narrow;
  if (wide) k->cast_s64(&c->cast, &block, &got);
  else k->cast_s32(&c->cast, &block, &got);
  expect_codes(&block, &c->cast, sums, bytes, &want, k->name);
  expect_stats(&got, &want, k->name);
  free(block.y);
  free(narrow);
  free(sums);
}

/* Every sum of a range by lines, its channels all in one block. */
static void check_every_sum(const hwb_kernels *k, cast_case *c) {
  enum { ROWS = 500 };
  int64_t most = hwb_min(c->peak, 40000);
  hwb_block block = {exact(ROWS * CHANNELS * 4 + 60), CHANNELS, ROWS, 0, CHANNELS, exact(ROWS * CHANNELS), CHANNELS};
  int32_t *sums = (int32_t *)(uintptr_t)block.sums;
  hwb_stats got = fresh(1), want = fresh(1);
  for (int64_t first = -most; first <= most; first += ROWS) {
    for (int64_t i = 0; i < ROWS * CHANNELS; i++) sums[i] = (int32_t)hwb_min(first + i / CHANNELS, most);
    k->cast_s32(&c->cast, &block, &got);
    for (int64_t i = 0; i < ROWS * CHANNELS; i++)
      expect_equal(hwb_load(block.y, c->cast.n.out_dtype, i), wanted_code(&c->cast, sums[i], i % CHANNELS, &want), "code of a line", k->name);
  }
  expect_stats(&got, &want, k->name);
  free(sums);
  free(block.y);
}

static long channels_with_lines(const cast_case *c) {
  long found = 0;
  for (int i = 0; i < CHANNELS && c->cast.n.lines; i++) found += c->line_slope[i] != 0;
  return found;
}

static void check_lines(const hwb_kernels *k) {
  static cast_case c;
  for (int64_t scheme = HWB_SHIFT; scheme <= HWB_EXACT; scheme++) {
    long found = 0;
    for (int round = 0, whole = 0; whole < 2 && round < 1000; round++) {
      make_cast(&c, scheme, 0);
      long channels = channels_with_lines(&c);
      found += channels;
      if (channels < CHANNELS) continue;
      check_every_sum(k, &c);
      whole++;
    }
    expect(found >= 2 * CHANNELS, "channels with lines", k->name, found, 2 * CHANNELS);
  }
}

static void check_casts(const hwb_kernels *k) {
  static cast_case c;
  long forms[HWB_WIDE + 1] = {0};
  for (int64_t scheme = HWB_RAW; scheme <= HWB_EXACT; scheme++)
    for (int round = 0; round < 600; round++) {
      int wide = round % 4 == 0;
      make_cast(&c, scheme, wide);
      forms[c.cast.n.vector]++;
      for (int64_t width = 1 + round % 2; width <= CHANNELS; width += width < 18 ? 2 : 11)
        compare(k, &c, draw(1, 5), width, round % 3, wide);
    }
  for (int form = HWB_SCALAR; form <= HWB_WIDE; form++) expect(forms[form] > 50, "casts of each form", k->name, forms[form], 50);
}

static void check(const hwb_kernels *k) {
  check_casts(k);
  check_lines(k);
}

int main(void) { return on_every_isa(check); }
