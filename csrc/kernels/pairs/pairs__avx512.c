/* AVX-512 pairs of 8-bit codes: even and odd elements as 64-bit sums, whose high words are the results. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m512i codes(const void *x, int64_t dtype, int64_t i, __mmask16 live) {
  const char *at = (const char *)x + i;
  __m128i bytes = live == 0xFFFF ? _mm_loadu_si128((const __m128i *)(const void *)at) : _mm_maskz_loadu_epi8(live, at);
  return dtype == HWB_S8 ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
}

INLINE __m512i affine(__m512i a, __m512i b, __m512i fa, __m512i fb, __m512i addend) {
  return _mm512_add_epi64(_mm512_add_epi64(_mm512_mul_epi32(a, fa), _mm512_mul_epi32(b, fb)), addend);
}

void hwb_pairs__avx512(const hwb_pairs_numbers *p, const void *a, const void *b, int64_t n, void *y, hwb_stats *stats) {
  __m512i fa = _mm512_set1_epi32((int32_t)p->a_factor), fb = _mm512_set1_epi32((int32_t)p->b_factor);
  __m512i addend = _mm512_set1_epi64(p->addend), saturated = _mm512_setzero_si512(), minus_one = _mm512_set1_epi32(-1);
  __m512i high_words = _mm512_setr_epi32(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  __m512i clamp_low = _mm512_set1_epi32((int32_t)p->clamp_lo), clamp_high = _mm512_set1_epi32((int32_t)p->clamp_hi);
  __m512i count_low = _mm512_set1_epi32(p->counts_low ? (int32_t)p->lo : INT32_MIN);
  __m512i count_high = _mm512_set1_epi32(p->counts_high ? (int32_t)p->hi : INT32_MAX);
  __m128i left = _mm_cvtsi32_si128((int)p->left);
  for (int64_t i = 0; i < n; i += 16) {
    __mmask16 live = (__mmask16)(n - i >= 16 ? 0xFFFF : (1 << (n - i)) - 1);
    __m512i va = _mm512_sll_epi32(codes(a, p->a_dtype, i, live), left), vb = _mm512_sll_epi32(codes(b, p->b_dtype, i, live), left);
    __m512i even = affine(va, vb, fa, fb, addend);
    __m512i odd = affine(_mm512_srli_epi64(va, 32), _mm512_srli_epi64(vb, 32), fa, fb, addend);
    __m512i v = _mm512_permutex2var_epi32(even, high_words, odd);
    saturated = _mm512_mask_sub_epi32(saturated, _mm512_mask_cmpgt_epi32_mask(live, v, count_high), saturated, minus_one);
    saturated = _mm512_mask_sub_epi32(saturated, _mm512_mask_cmplt_epi32_mask(live, v, count_low), saturated, minus_one);
    __m128i bytes = _mm512_cvtepi32_epi8(_mm512_max_epi32(_mm512_min_epi32(v, clamp_high), clamp_low));
    if (live == 0xFFFF) _mm_storeu_si128((__m128i *)(void *)((char *)y + i), bytes);
    else _mm_mask_storeu_epi8((char *)y + i, live, bytes);
  }
  stats->saturated += _mm512_reduce_add_epi32(saturated);
}
