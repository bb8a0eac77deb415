/* Exact rounding of shifts and ratios in 128 bits; the modes and their meaning are those of numerics/rounding.py. */
#ifndef HWBLOCKS_ROUNDING_H
#define HWBLOCKS_ROUNDING_H

#include <hwblocks/types.h>
#include <math.h>

enum hwb_rounding {
  HWB_FLOOR = 0,
  HWB_CEIL,
  HWB_TO_ZERO,
  HWB_AWAY,
  HWB_HALF_EVEN,
  HWB_HALF_UP,
  HWB_HALF_DOWN,
  HWB_HALF_AWAY,
  HWB_HALF_TO_ZERO,
  HWB_HALF_ODD
};

/* 1 when floor + rest/den goes up; half is the sign of 2·rest − den. */
static inline int hwb_rounds_up(int rest_is_zero, int half, int odd, int negative, int64_t mode) {
  switch (mode) {
  case HWB_FLOOR: return 0;
  case HWB_CEIL: return !rest_is_zero;
  case HWB_TO_ZERO: return !rest_is_zero && negative;
  case HWB_AWAY: return !rest_is_zero && !negative;
  case HWB_HALF_EVEN: return half > 0 || (half == 0 && odd);
  case HWB_HALF_UP: return half >= 0;
  case HWB_HALF_DOWN: return half > 0;
  case HWB_HALF_AWAY: return half > 0 || (half == 0 && !negative);
  case HWB_HALF_TO_ZERO: return half > 0 || (half == 0 && negative);
  default: return half > 0 || (half == 0 && !odd);
  }
}

/* num / den rounded. den > 0; |num|, den < 2^126. */
static inline hwb_int128 hwb_round_ratio(hwb_int128 num, hwb_int128 den, int64_t mode) {
  hwb_int128 whole = num / den, rest = num % den;
  if (rest < 0) {
    rest += den;
    whole -= 1;
  }
  hwb_int128 twice = rest * 2;
  int half = twice > den ? 1 : twice < den ? -1 : 0;
  return whole + hwb_rounds_up(rest == 0, half, (int)(whole & 1), num < 0, mode);
}

/* v / 2^shift rounded; a negative shift is an exact left shift. |v| < 2^95, -31 <= shift <= 124. */
static inline hwb_int128 hwb_round_shift(hwb_int128 v, int64_t shift, int64_t mode) {
  if (shift <= 0) return v * ((hwb_int128)1 << -shift);
  hwb_int128 den = (hwb_int128)1 << shift, whole = v >> shift, rest = v & (den - 1), twice = rest * 2;
  int half = twice > den ? 1 : twice < den ? -1 : 0;
  return whole + hwb_rounds_up(rest == 0, half, (int)(whole & 1), v < 0, mode);
}

/* 1 for the modes that round to the nearest integer and differ only on ties. */
static inline int hwb_is_half(int64_t mode) { return mode >= HWB_HALF_EVEN; }

/* The nearest integer of an estimate, when the estimate decides it beyond doubt: it is small, and its distance from a
   tie is far above its own error (relative 2^-50). Returns 0 where the exact ratio must be computed. */
static inline int hwb_clear_nearest(double estimate, int64_t *nearest) {
  double below = floor(estimate), rest = estimate - below;
  if (!(fabs(estimate) < 1073741824.0) || fabs(rest - 0.5) < 1e-5) return 0;
  *nearest = (int64_t)below + (rest > 0.5);
  return 1;
}

/* A real number rounded to an integer in a double. */
static inline double hwb_round_real(double x, int64_t mode) {
  double whole = floor(x), nearest = rint(x), rest = x - nearest; /* exact, unlike x - whole just below 0 */
  int half = fabs(rest) == 0.5 ? 0 : nearest > whole ? 1 : -1;
  int odd = half == 0 && fmod(whole, 2.0) != 0; /* decides ties alone, and the division is slow */
  return whole + hwb_rounds_up(rest == 0, half, odd, x < 0, mode);
}

#endif
