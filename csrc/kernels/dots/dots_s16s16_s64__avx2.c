/* AVX2 dot products of rows of 16-bit words: pairs in 32 bits (vpmaddwd), widened and added in 64. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

static inline __m256i widened_pairs(const int16_t *a, const int16_t *b) {
  __m128i left = _mm_loadu_si128((const __m128i *)(const void *)a), right = _mm_loadu_si128((const __m128i *)(const void *)b);
  return _mm256_cvtepi32_epi64(_mm_madd_epi16(left, right));
}

static inline int64_t sum_of(__m256i four) {
  __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
  return _mm_cvtsi128_si64(_mm_add_epi64(two, _mm_unpackhi_epi64(two, two)));
}

void hwb_dots_s16s16_s64__avx2(const int16_t *a, const int16_t *b, int64_t length, int64_t count, int64_t *sums) {
  for (int64_t i = 0; i < count; i++, a += length, b += length) {
    __m256i four = _mm256_setzero_si256();
    int64_t j = 0, rest = 0;
    for (; j + 8 <= length; j += 8) four = _mm256_add_epi64(four, widened_pairs(a + j, b + j));
    for (; j < length; j++) rest += (int32_t)a[j] * b[j];
    sums[i] = sum_of(four) + rest;
  }
}
