/* The loop that turns floats into codes by the common rules, compiled for each instruction set by a file of its own:
   without branches, so that compilers make vectors of it; sums and products are not contracted. */
#ifndef HWBLOCKS_EDGE_CODES_H
#define HWBLOCKS_EDGE_CODES_H

#include <hwblocks/kernels.h>
#include <math.h>

enum { HWB_EDGE_TOGETHER = 256 }; /* floats whose quotients lie in the first-level cache */

#define HWB_HALF_EVEN_MAGIC 12582912.0f /* 1.5 · 2^23: adding it leaves no bits for a fraction below 2^22 */
#define HWB_ROUND_EVEN(v) ((int32_t)((v + HWB_HALF_EVEN_MAGIC) - HWB_HALF_EVEN_MAGIC))
#define HWB_ROUND_AWAY(v) ((int32_t)v + (v - (float)(int32_t)v >= 0.5f) - (v - (float)(int32_t)v <= -0.5f))

/* Quotients of magnitude below 2^30 limited to one step beyond the codes, where floats are exact, then rounded. */
#define HWB_CODES_ALL(T, ROUNDED)                                                                                      \
  T *restrict codes = y;                                                                                               \
  for (int64_t i = 0; i < n; i++) {                                                                                    \
    float v = quotient[i] > below ? quotient[i] : below;                                                               \
    v = v < above ? v : above;                                                                                         \
    int32_t whole = ROUNDED(v);                                                                                        \
    outside += (whole < low) | (whole > high);                                                                         \
    whole = whole < least ? least : whole > most ? most : whole;                                                       \
    codes[i] = (T)(whole + zero);                                                                                         \
  }

/* n quotients to codes; how many left the format. The clamp lies within the format, so that it limits alone. */
static inline __attribute__((always_inline)) int64_t hwb_rounded_codes(const hwb_quick_edge *p, const float *quotient,
                                                                       int64_t n, void *y) {
  int32_t zero = p->zero, low = p->lo - zero, high = p->hi - zero, outside = 0;
  int32_t least = p->clamp_lo - zero, most = p->clamp_hi - zero;
  float below = (float)(low - 1), above = (float)(high + 1);
  if (p->bytes == 1 && p->half_even) {
    HWB_CODES_ALL(uint8_t, HWB_ROUND_EVEN)
  } else if (p->bytes == 1) {
    HWB_CODES_ALL(uint8_t, HWB_ROUND_AWAY)
  } else if (p->half_even) {
    HWB_CODES_ALL(uint16_t, HWB_ROUND_EVEN)
  } else {
    HWB_CODES_ALL(uint16_t, HWB_ROUND_AWAY)
  }
  return outside;
}

/* Quotients, and whether all lie below 2^30; a NaN does not. */
#define HWB_QUOTIENTS(SCALED)                                                                                          \
  for (int64_t i = 0; i < count; i++) {                                                                                \
    quotient[i] = SCALED;                                                                                              \
    near &= fabsf(quotient[i]) < 1073741824.0f;                                                                        \
  }

/* hwb_edge_codes__<isa>. */
static inline __attribute__((always_inline)) int64_t hwb_edge_codes(const hwb_quick_edge *p, const float *x, int64_t n,
                                                                    void *y, int64_t *outside) {
  float quotient[HWB_EDGE_TOGETHER];
  for (int64_t first = 0; first < n; first += HWB_EDGE_TOGETHER) {
    int64_t count = hwb_min(HWB_EDGE_TOGETHER, n - first);
    float factor = p->factor;
    int32_t near = 1;
    if (p->reciprocal) HWB_QUOTIENTS(x[first + i] * factor)
    else HWB_QUOTIENTS(x[first + i] / factor)
    if (!near) return first;
    *outside += hwb_rounded_codes(p, quotient, count, (char *)y + first * p->bytes);
  }
  return n;
}

#endif
