/* AVX2 casts of 32-bit accumulators, 8 at a time, for the common schemes; the scalar definition for the rest.

   The constants were checked when they were bound (numerics/kernels/binding.py, `vector`): single_round has half_up and
   32 <= shift <= 62; double_round half_up, then half_away or half_up, with 0 <= shift <= 31 on both sides;
   shift half_up and 0 <= shift <= 31; float32 half_even; float64 half_even or half_away; the zero point comes after, or inside float32; overflow saturates,
   and the output is s8, u8 or s16. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load8(const int32_t *x) { return _mm256_loadu_si256((const __m256i *)x); }

/* Even and odd 64-bit results back into eight 32-bit lanes: even from its low word, odd moved to the high word. */
INLINE __m256i join(__m256i even_low, __m256i odd_high) { return _mm256_blend_epi32(even_low, odd_high, 0xAA); }

/* (v · m + 2^(shift − 1)) >> shift, exact in 64 bits: the high word of the sum, then the rest of the shift. */
INLINE __m256i single_round(const hwb_cast *c, __m256i v, int64_t ch) {
  __m256i m = load8(c->multiplier + ch), s = load8(c->shift + ch);
  __m256i one = _mm256_set1_epi64x(1), less = _mm256_sub_epi32(s, _mm256_set1_epi32(1));
  __m256i round_even = _mm256_sllv_epi64(one, _mm256_and_si256(less, _mm256_set1_epi64x(0xFFFFFFFF)));
  __m256i round_odd = _mm256_sllv_epi64(one, _mm256_srli_epi64(less, 32));
  __m256i even = _mm256_add_epi64(_mm256_mul_epi32(v, m), round_even);
  __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(v, 32), _mm256_srli_epi64(m, 32)), round_odd);
  __m256i high = join(_mm256_srli_epi64(even, 32), odd);
  return _mm256_srav_epi32(high, _mm256_sub_epi32(s, _mm256_set1_epi32(32)));
}

/* v / 2^r, ties up, or away from zero. */
INLINE __m256i rounded_right(__m256i v, __m256i r, int away) {
  __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), r), _mm256_set1_epi32(1));
  __m256i rest = _mm256_and_si256(v, mask), threshold = _mm256_srli_epi32(mask, 1);
  if (away) threshold = _mm256_add_epi32(threshold, _mm256_srli_epi32(v, 31));
  return _mm256_sub_epi32(_mm256_srav_epi32(v, r), _mm256_cmpgt_epi32(rest, threshold));
}

/* Left shift wrapping, high multiply with ties up, then a rounding right shift. */
INLINE __m256i double_round(const hwb_cast *c, __m256i v, int64_t ch) {
  __m256i m = load8(c->multiplier + ch), s = load8(c->shift + ch), zero = _mm256_setzero_si256();
  v = _mm256_sllv_epi32(v, _mm256_max_epi32(_mm256_sub_epi32(zero, s), zero));
  __m256i half = _mm256_set1_epi64x((int64_t)1 << 30);
  __m256i even = _mm256_add_epi64(_mm256_mul_epi32(v, m), half);
  __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(v, 32), _mm256_srli_epi64(m, 32)), half);
  __m256i high = join(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1));
  return rounded_right(high, _mm256_max_epi32(s, zero), c->n.rounding == HWB_HALF_AWAY);
}

/* Four doubles to the nearest integers: ties to even, or away from zero. */
INLINE __m128i nearest4(__m256d v, int away) {
  __m256d edge = _mm256_set1_pd(1073741824.0); /* far outside every output, inside int32 */
  v = _mm256_max_pd(_mm256_min_pd(v, edge), _mm256_sub_pd(_mm256_setzero_pd(), edge));
  if (!away) return _mm256_cvtpd_epi32(v);
  __m256d sign = _mm256_set1_pd(-0.0), whole = _mm256_round_pd(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
  __m256d rest = _mm256_andnot_pd(sign, _mm256_sub_pd(v, whole)); /* exact */
  __m256d step = _mm256_or_pd(_mm256_and_pd(v, sign), _mm256_set1_pd(1.0));
  __m256d up = _mm256_and_pd(_mm256_cmp_pd(rest, _mm256_set1_pd(0.5), _CMP_GE_OQ), step);
  return _mm256_cvtpd_epi32(_mm256_add_pd(whole, up));
}

/* One multiplication in binary64. */
INLINE __m256i float64(const hwb_cast *c, __m256i v, int64_t ch) {
  int away = c->n.rounding == HWB_HALF_AWAY;
  __m256d low = _mm256_mul_pd(_mm256_cvtepi32_pd(_mm256_castsi256_si128(v)), _mm256_loadu_pd(c->scale64 + ch));
  __m256d high = _mm256_mul_pd(_mm256_cvtepi32_pd(_mm256_extracti128_si256(v, 1)), _mm256_loadu_pd(c->scale64 + ch + 4));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(nearest4(low, away)), nearest4(high, away), 1);
}

INLINE __m256i scaled(const hwb_cast *c, __m256i v, int64_t ch) {
  switch (c->n.scheme) {
  case HWB_SINGLE_ROUND: return single_round(c, v, ch);
  case HWB_DOUBLE_ROUND: return double_round(c, v, ch);
  case HWB_FLOAT64: return float64(c, v, ch);
  case HWB_SHIFT: return rounded_right(v, load8(c->shift + ch), 0);
  default: {
    __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(v), _mm256_loadu_ps(c->scale32 + ch));
    if (c->n.zero_inside) product = _mm256_add_ps(product, _mm256_set1_ps((float)c->n.zero_point));
    __m256 edge = _mm256_set1_ps(1073741824.0f); /* far outside every output, inside int32 */
    product = _mm256_max_ps(_mm256_min_ps(product, edge), _mm256_sub_ps(_mm256_setzero_ps(), edge));
    return _mm256_cvtps_epi32(product);
  }
  }
}

/* Lanes below `width` as all ones. */
INLINE __m256i lanes_below(int64_t width) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)width), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE int64_t count_lanes(__m256i mask) {
  return __builtin_popcount((unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(mask)));
}

static void note_range(__m256i v, int64_t width, hwb_stats *st) {
  int32_t lane[8];
  _mm256_storeu_si256((__m256i *)lane, v);
  for (int64_t j = 0; j < width; j++) {
    st->lowest = hwb_min(st->lowest, lane[j]);
    st->highest = hwb_max(st->highest, lane[j]);
  }
}

/* Eight accumulators to codes in 32-bit lanes; only the first `width` lanes count. */
INLINE __m256i cast8(const hwb_cast *c, const int32_t *sums, int64_t ch, int64_t width, hwb_stats *st) {
  const hwb_cast_numbers *n = &c->n;
  __m256i v = _mm256_add_epi32(load8(sums), load8(c->bias32 + ch)), live = lanes_below(width);
  if (n->accumulator_bits < 32) {
    __m128i cut = _mm_cvtsi32_si128((int)(32 - n->accumulator_bits));
    __m256i held = _mm256_sra_epi32(_mm256_sll_epi32(v, cut), cut);
    st->outside += count_lanes(_mm256_andnot_si256(_mm256_cmpeq_epi32(held, v), live));
    v = held;
  }
  if (st->level >= 2) note_range(v, width, st);
  __m256i zero = _mm256_set1_epi32(n->zero_inside ? 0 : (int32_t)n->zero_point);
  v = _mm256_add_epi32(scaled(c, v, ch), zero);
  __m256i low = _mm256_set1_epi32((int32_t)n->lo), high = _mm256_set1_epi32((int32_t)n->hi);
  __m256i above = _mm256_and_si256(_mm256_cmpgt_epi32(v, high), _mm256_set1_epi32(-(int32_t)n->counts_high));
  __m256i below = _mm256_and_si256(_mm256_cmpgt_epi32(low, v), _mm256_set1_epi32(-(int32_t)n->counts_low));
  __m256i outside = _mm256_or_si256(above, below);
  st->saturated += count_lanes(_mm256_and_si256(outside, live));
  __m256i clamp_low = _mm256_set1_epi32((int32_t)n->clamp_lo), clamp_high = _mm256_set1_epi32((int32_t)n->clamp_hi);
  return _mm256_max_epi32(_mm256_min_epi32(v, clamp_high), clamp_low);
}

INLINE void store16(__m256i a, __m256i b, int64_t dtype, int64_t width, void *y) {
  __m256i s16 = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
  if (dtype == HWB_S16) {
    if (width == 16) {
      _mm256_storeu_si256((__m256i *)y, s16);
      return;
    }
    int16_t whole[16];
    _mm256_storeu_si256((__m256i *)whole, s16);
    memcpy(y, whole, (size_t)width * 2);
    return;
  }
  __m128i low = _mm256_castsi256_si128(s16), high = _mm256_extracti128_si256(s16, 1);
  __m128i bytes = dtype == HWB_S8 ? _mm_packs_epi16(low, high) : _mm_packus_epi16(low, high);
  if (width == 16) {
    _mm_storeu_si128((__m128i *)y, bytes);
    return;
  }
  int8_t whole[16];
  _mm_storeu_si128((__m128i *)whole, bytes);
  memcpy(y, whole, (size_t)width);
}

void hwb_cast_s32__avx2(const hwb_cast *c, const int32_t *sums, int64_t channel, int64_t width, void *y, hwb_stats *st) {
  if (!c->n.vector) {
    hwb_cast_s32__ref(c, sums, channel, width, y, st);
    return;
  }
  __m256i a = cast8(c, sums, channel, hwb_min(width, 8), st);
  __m256i b = width > 8 ? cast8(c, sums + 8, channel + 8, width - 8, st) : a;
  store16(a, b, c->n.out_dtype, width, y);
}
