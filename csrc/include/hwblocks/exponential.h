/* e^x and ln x in double by sums and products alone, the same bits on every machine: the steps of
   numerics/exponential.py in the same order. They must not be contracted. */
#ifndef HWBLOCKS_EXPONENTIAL_H
#define HWBLOCKS_EXPONENTIAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define HWB_LN2_HIGH 0x1.62e42feep-1 /* ends in zeros: its products with exponents are exact */
#define HWB_LN2_LOW 0x1.a39ef35793c76p-33

static inline double hwb_double_of(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline uint64_t hwb_double_bits(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* e^x; 0 below -708, infinite above 709. Without branches, so that loops become vectors. */
static inline double hwb_power_of_e(double x) {
  const double magic = 0x1.8p52; /* adding it rounds to a whole number, which its lowest bits then hold */
  double moved = x * 0x1.71547652b82fep+0 + magic, k = moved - magic;
  double r = (x - k * HWB_LN2_HIGH) - k * HWB_LN2_LOW;
  double sum = 1.0 / 6227020800.0;
  sum = sum * r + 1.0 / 479001600.0;
  sum = sum * r + 1.0 / 39916800.0;
  sum = sum * r + 1.0 / 3628800.0;
  sum = sum * r + 1.0 / 362880.0;
  sum = sum * r + 1.0 / 40320.0;
  sum = sum * r + 1.0 / 5040.0;
  sum = sum * r + 1.0 / 720.0;
  sum = sum * r + 1.0 / 120.0;
  sum = sum * r + 1.0 / 24.0;
  sum = sum * r + 1.0 / 6.0;
  sum = sum * r + 1.0 / 2.0;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  double power = sum * hwb_double_of((hwb_double_bits(moved) + 1023) << 52);
  return x < -708.0 ? 0.0 : x > 709.0 ? (double)INFINITY : power;
}

/* ln x of a normal positive x. */
static inline double hwb_natural_log(double x) {
  int exponent;
  double part = frexp(x, &exponent);
  int small = part < 0x1.6a09e667f3bcdp-1;
  double k = exponent - small, f = (small ? 2.0 * part : part) - 1.0;
  double s = f / (2.0 + f), z = s * s, twice = 2.0 * s, sum = 1.0 / 21.0;
  for (int n = 19; n > 1; n -= 2) sum = sum * z + 1.0 / n;
  return k * HWB_LN2_HIGH + (twice + (twice * z * sum + k * HWB_LN2_LOW));
}

#endif
