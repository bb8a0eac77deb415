/* AVX2 pairs of 8-bit codes: even and odd elements as 64-bit sums, whose high words are the results. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i codes(const void *x, int64_t dtype, int64_t i) {
  __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)((const char *)x + i));
  return dtype == HWB_S8 ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
}

INLINE __m256i affine(__m256i a, __m256i b, __m256i fa, __m256i fb, __m256i addend) {
  return _mm256_add_epi64(_mm256_add_epi64(_mm256_mul_epi32(a, fa), _mm256_mul_epi32(b, fb)), addend);
}

INLINE int64_t total(__m256i v) {
  int32_t lane[8];
  int64_t sum = 0;
  _mm256_storeu_si256((__m256i *)(void *)lane, v);
  for (int j = 0; j < 8; j++) sum += lane[j];
  return sum;
}

void hwb_pairs__avx2(const hwb_pairs_numbers *p, const void *a, const void *b, int64_t n, void *y, hwb_stats *stats) {
  __m256i fa = _mm256_set1_epi32((int32_t)p->a_factor), fb = _mm256_set1_epi32((int32_t)p->b_factor);
  __m256i addend = _mm256_set1_epi64x(p->addend), saturated = _mm256_setzero_si256();
  __m256i clamp_low = _mm256_set1_epi32((int32_t)p->clamp_lo), clamp_high = _mm256_set1_epi32((int32_t)p->clamp_hi);
  __m256i count_low = _mm256_set1_epi32(p->counts_low ? (int32_t)p->lo : INT32_MIN);
  __m256i count_high = _mm256_set1_epi32(p->counts_high ? (int32_t)p->hi : INT32_MAX);
  __m128i left = _mm_cvtsi32_si128((int)p->left);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m256i va = _mm256_sll_epi32(codes(a, p->a_dtype, i), left), vb = _mm256_sll_epi32(codes(b, p->b_dtype, i), left);
    __m256i even = affine(va, vb, fa, fb, addend);
    __m256i odd = affine(_mm256_srli_epi64(va, 32), _mm256_srli_epi64(vb, 32), fa, fb, addend);
    __m256i v = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    saturated = _mm256_sub_epi32(saturated, _mm256_cmpgt_epi32(v, count_high));
    saturated = _mm256_sub_epi32(saturated, _mm256_cmpgt_epi32(count_low, v));
    v = _mm256_max_epi32(_mm256_min_epi32(v, clamp_high), clamp_low);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    words = p->out_dtype == HWB_S8 ? _mm_packs_epi16(words, words) : _mm_packus_epi16(words, words);
    _mm_storel_epi64((__m128i *)(void *)((char *)y + i), words);
  }
  stats->saturated += total(saturated);
  hwb_pairs__ref(p, (const char *)a + i, (const char *)b + i, n - i, (char *)y + i, stats);
}
