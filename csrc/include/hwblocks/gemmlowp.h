/* gemmlowp's 32-bit fixed point: rounding products, shifts and the reciprocal, as numerics/gemmlowp.py defines them.
   A raw integer with k integer bits (Qk) stands for raw · 2^(k − 31). */
#ifndef HWBLOCKS_GEMMLOWP_H
#define HWBLOCKS_GEMMLOWP_H

#include <hwblocks/types.h>

/* min((a·b + 2^30) >> 31, 2^31 − 1) for 32-bit a, b. */
static inline int64_t hwb_high_product(int64_t a, int64_t b) { return hwb_min((a * b + (1 << 30)) >> 31, INT32_MAX); }

/* v / 2^shift, ties away from zero; 0 <= shift <= 62. */
static inline int64_t hwb_shift_away(int64_t v, int64_t shift) {
  int64_t mask = ((int64_t)1 << shift) - 1;
  return (v >> shift) + ((v & mask) > (mask >> 1) + (v < 0));
}

/* v · 2^shift limited to 32 bits; |v| < 2^32, 0 <= shift <= 30. */
static inline int64_t hwb_shift_left(int64_t v, int64_t shift) {
  int64_t moved = v * ((int64_t)1 << shift);
  return moved > INT32_MAX ? INT32_MAX : moved < INT32_MIN ? INT32_MIN : moved;
}

/* Leading zeros of an unsigned 32-bit number; 0 < v < 2^32. */
static inline int64_t hwb_leading_zeros(int64_t v) {
  int64_t zeros = 0;
  for (int64_t bit = (int64_t)1 << 31; !(v & bit); bit >>= 1) zeros++;
  return zeros;
}

/* 1 / (1 + a) in Q0 for a in [0, 1) in Q0: three Newton steps from 48/17 − 32/17 · (1 + a) / 2. */
static inline int64_t hwb_one_over_one_plus(int64_t a) {
  int64_t total = a + INT32_MAX, half = (total + (total >= 0 ? 1 : -1)) / 2;
  int64_t x = 1515870810 + hwb_high_product(half, -1010580540);
  for (int i = 0; i < 3; i++) {
    int64_t error = (1 << 29) - hwb_high_product(half, x);
    x += hwb_shift_left(hwb_high_product(x, error), 2);
  }
  return hwb_shift_left(x, 1);
}

#endif
