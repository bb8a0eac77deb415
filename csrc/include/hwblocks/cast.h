/* The cast of an accumulator to an output code: the constants, and the scalar definition that every variant equals. */
#ifndef HWBLOCKS_CAST_H
#define HWBLOCKS_CAST_H

#include <hwblocks/rounding.h>
#include <hwblocks/types.h>

enum hwb_scheme {
  HWB_RAW = 0, /* store the accumulator itself */
  HWB_SHIFT,
  HWB_SINGLE_ROUND,
  HWB_DOUBLE_ROUND,
  HWB_Q16,
  HWB_FLOAT32,
  HWB_FLOAT64,
  HWB_EXACT
};

/* Forms that vectors compute; equal to the scheme for every sum within the bound that the binding checked.
   affine: y = (v · 2^left · factor + addend) >> (32 + right), the zero point in the addend, which may depend on the
   sign of v; real32, real64: one product of floats, half_even or half_away; stored: the sum itself.
   wide, of 64-bit sums: y = (v · factor + addend) >> right, the addend by the sign of v; all within 64 bits. */
enum hwb_vector { HWB_SCALAR = 0, HWB_AFFINE, HWB_AFFINE_BY_SIGN, HWB_REAL32, HWB_REAL64, HWB_STORED, HWB_WIDE };

enum hwb_overflow { HWB_SATURATE = 0, HWB_WRAP };

/* Constants of a cast. The first fields are plain numbers in this order (numerics/kernels/binding.py writes them);
   arrays have one entry per output channel and 16 more that are read but never decide anything. */
typedef struct {
  int64_t scheme, rounding, first_rounding;
  int64_t zero_point, zero_inside;
  int64_t bits, is_signed, lo, hi, clamp_lo, clamp_hi, overflow;
  int64_t counts_low, counts_high; /* 0 on a side that a fused clamp bounds: leaving the format there is no event */
  int64_t accumulator_bits; /* 64: the sum is exact and in range */
  int64_t out_dtype;
  int64_t vector; /* enum hwb_vector: the form in which every channel's constants suit vectors */
  int64_t lines;  /* of floats that equal the cast of channels with a slope, 1 or 2 of each, or 0; see lines.h */
} hwb_cast_numbers;

typedef struct {
  hwb_cast_numbers n;
  const int64_t *bias;
  const int32_t *bias32;
  const int32_t *multiplier, *shift;
  const float *scale32;
  const double *scale64;
  const int64_t *numerator;   /* two words per channel, low first */
  const int64_t *denominator; /* two words per channel, low first */
  const int32_t *left, *factor, *right; /* of the affine form; left NULL where no channel shifts */
  const int64_t *addend, *addend_below; /* for v >= 0 and v < 0 */
  const int32_t *line_shift;
  const float *line_slope, *line_offset, *line_below; /* slope 0: no line, the 16 more have one */
} hwb_cast;

/* How sums end: channels below tail_start by `cast`, the others by `tail` (a runtime's remainder loop);
   tail_start is HWB_NO_TAIL where there is none. */
#define HWB_NO_TAIL INT64_MAX
typedef struct {
  int64_t tail_start;
  hwb_cast cast, tail;
} hwb_ends;

static inline hwb_int128 hwb_two_words(const int64_t *words, int64_t i) {
  return (hwb_int128)words[2 * i + 1] * ((hwb_int128)1 << 64) + (hwb_int128)(uint64_t)words[2 * i];
}

/* The lowest `bits` of v read as two's complement; 1 <= bits <= 64. */
static inline int64_t hwb_wrap(hwb_int128 v, int64_t bits) {
  uint64_t raw = (uint64_t)v << (64 - bits);
  return (int64_t)raw >> (64 - bits);
}

/* 1 where acc · m and its rounding stay within 64 bits: 47-bit sums times 16-bit multipliers, halves up. */
static inline int hwb_fits_64(const hwb_cast *c, int64_t acc, int64_t m, int64_t shift) {
  int64_t reach = (int64_t)1 << 46;
  return c->n.rounding == HWB_HALF_UP && acc > -reach && acc < reach && m >= 0 && m < 65536 && shift > 0 && shift < 62;
}

/* acc · m with one rounding and shift, the zero point inside it where the cast says so. */
static inline hwb_int128 hwb_single(const hwb_cast *c, int64_t acc, int64_t m, int64_t shift, hwb_int128 zero) {
  if (!zero && hwb_fits_64(c, acc, m, shift)) return (acc * m + ((int64_t)1 << (shift - 1))) >> shift;
  hwb_int128 product = (hwb_int128)acc * m;
  if (!zero) return hwb_round_shift(product, shift, c->n.rounding);
  hwb_int128 left = shift < 0 ? (hwb_int128)1 << -shift : 1, right = shift > 0 ? (hwb_int128)1 << shift : 1;
  return hwb_round_shift(product * left + zero * right, shift > 0 ? shift : 0, c->n.rounding);
}

/* A 32-bit sum with its bias, modulo 2^32; the total is within 32 bits. */
static inline int64_t hwb_with_bias32(const hwb_cast *c, int32_t sum, int64_t channel) {
  return (int32_t)((uint32_t)sum + (uint32_t)c->bias32[channel]);
}

static inline hwb_int128 hwb_scaled(const hwb_cast *c, int64_t acc, int64_t channel) {
  hwb_int128 zero = c->n.zero_inside ? c->n.zero_point : 0;
  int64_t shift = c->shift[channel];
  switch (c->n.scheme) {
  case HWB_DOUBLE_ROUND: {
    int64_t left = shift < 0 ? -shift : 0, right = shift > 0 ? shift : 0;
    int32_t moved = (int32_t)hwb_wrap((hwb_int128)acc * ((hwb_int128)1 << left), 32);
    hwb_int128 high = hwb_round_shift((hwb_int128)moved * c->multiplier[channel], 31, c->n.first_rounding);
    if (high > INT32_MAX) high = INT32_MAX;
    return hwb_round_shift(high + zero * ((hwb_int128)1 << right), right, c->n.rounding);
  }
  case HWB_FLOAT32: {
    volatile float product = (float)acc * c->scale32[channel]; /* one rounding, whatever the compiler's precision */
    volatile float shifted = product + (float)(int64_t)zero;
    double limited = fmin(fmax((double)shifted, -4294967296e6), 4294967296e6);
    return (hwb_int128)hwb_round_real(limited, c->n.rounding);
  }
  case HWB_FLOAT64: {
    double product = (double)acc * c->scale64[channel] + (double)(int64_t)zero;
    return (hwb_int128)hwb_round_real(fmin(fmax(product, -4294967296e6), 4294967296e6), c->n.rounding);
  }
  case HWB_EXACT: {
    hwb_int128 num = hwb_two_words(c->numerator, channel), den = hwb_two_words(c->denominator, channel);
    return hwb_round_ratio(acc * num + zero * den, den, c->n.rounding);
  }
  case HWB_Q16: return hwb_wrap(hwb_single(c, acc, c->multiplier[channel], shift, zero), 32);
  default: return hwb_single(c, acc, c->multiplier[channel], shift, zero);
  }
}

/* A rounded value in the output's range: overflow of the format first, then the fused clamp. */
static inline int64_t hwb_limited(const hwb_cast_numbers *n, hwb_int128 v, hwb_stats *stats) {
  if (v < n->lo || v > n->hi) {
    stats->saturated += v < n->lo ? n->counts_low : n->counts_high;
    if (n->overflow == HWB_WRAP) {
      uint64_t raw = (uint64_t)v << (64 - n->bits);
      v = n->is_signed ? (hwb_int128)((int64_t)raw >> (64 - n->bits)) : (hwb_int128)(raw >> (64 - n->bits));
    } else {
      v = v < n->lo ? n->lo : n->hi;
    }
  }
  return v < n->clamp_lo ? n->clamp_lo : v > n->clamp_hi ? n->clamp_hi : (int64_t)v;
}

/* One accumulator (bias added) to its output code; counts into stats. */
static inline int64_t hwb_cast_total(const hwb_cast *c, int64_t acc, int64_t channel, hwb_stats *stats) {
  if (c->n.accumulator_bits < 64) {
    int64_t held = hwb_wrap(acc, c->n.accumulator_bits);
    stats->outside += held != acc;
    acc = held;
  }
  if (stats->level >= 2) {
    stats->lowest = hwb_min(stats->lowest, acc);
    stats->highest = hwb_max(stats->highest, acc);
  }
  if (c->n.scheme == HWB_RAW) return acc;
  hwb_int128 v = hwb_scaled(c, acc, channel);
  return hwb_limited(&c->n, c->n.zero_inside ? v : v + c->n.zero_point, stats);
}

/* The same of a sum of products, its bias not yet added. */
static inline int64_t hwb_cast_one(const hwb_cast *c, int64_t sum, int64_t channel, hwb_stats *stats) {
  return hwb_cast_total(c, sum + c->bias[channel], channel, stats);
}

#endif
