/* The affine form of pairs of 8-bit codes in 32-bit words, as vectors compute it.

   Codes are taken as bytes without sign, s8 with 128 added; results of u8 come out less 128. A factor of 31 bits is
   a1 · 2^16 + a0 with a0 of 16 signed bits, so that multiply-adds of words give S1 = x·a1 + z·b1 and S0 = x·a0 + z·b0, and
   floor((S1 · 2^16 + S0 + addend) / 2^(32 − left)) = (S1 + add_high + ((S0 + add_low) >> 16)) >> (16 − left). */
#ifndef HWBLOCKS_PAIRS_H
#define HWBLOCKS_PAIRS_H

#include <hwblocks/kernels.h>

enum { HWB_PAIRS_CENTRE = 128 };

typedef struct {
  int32_t high, low; /* two 16-bit factors each: of a in the lower half, of b in the upper */
  int32_t add_high, add_low, shift;
  int32_t centre;              /* of the results */
  int32_t count_low, count_high; /* limits that are counted, less the centre; those of 16 bits where a side is not */
} hwb_pairs_words;

static inline int32_t hwb_two_halves(int64_t lower, int64_t upper) {
  return (int32_t)((uint32_t)(uint16_t)lower | (uint32_t)(uint16_t)upper << 16);
}

static inline hwb_pairs_words hwb_pairs_in_words(const hwb_pairs_numbers *p) {
  int64_t a0 = (int16_t)p->a_factor, b0 = (int16_t)p->b_factor;
  int64_t offset = (p->a_dtype == HWB_S8 ? p->a_factor : 0) + (p->b_dtype == HWB_S8 ? p->b_factor : 0);
  int64_t centre = p->out_dtype == HWB_U8 ? HWB_PAIRS_CENTRE : 0;
  int64_t addend = (p->addend >> p->left) - 128 * offset - centre * ((int64_t)1 << (32 - p->left));
  hwb_pairs_words w;
  w.high = hwb_two_halves((p->a_factor - a0) >> 16, (p->b_factor - b0) >> 16);
  w.low = hwb_two_halves(a0, b0);
  w.add_high = (int32_t)(addend >> 16);
  w.add_low = (int32_t)(addend & 0xFFFF);
  w.shift = (int32_t)(16 - p->left);
  w.centre = (int32_t)centre;
  w.count_low = (int32_t)(p->counts_low ? p->lo - centre : INT16_MIN);
  w.count_high = (int32_t)(p->counts_high ? p->hi - centre : INT16_MAX);
  return w;
}

#endif
