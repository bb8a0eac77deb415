/* AVX2 weighted sums over rows: codes of two rows side by side in 16 bits times pairs of weights (vpmaddwd). */
#include <hwblocks/weighted_rows.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i widened(__m128i bytes, int64_t dtype) {
  return dtype == HWB_S8 ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
}

/* 8 channels of two rows as [8][2] int16: the first and the last eight of 16. */
INLINE void side_by_side(const char *a, const char *b, int64_t dtype, __m256i pairs[2]) {
  __m128i p = _mm_loadu_si128((const __m128i *)(const void *)a), q = _mm_loadu_si128((const __m128i *)(const void *)b);
  if (dtype <= HWB_U8) {
    pairs[0] = widened(_mm_unpacklo_epi8(p, q), dtype);
    pairs[1] = widened(_mm_unpackhi_epi8(p, q), dtype);
    return;
  }
  __m128i s = _mm_loadu_si128((const __m128i *)(const void *)(a + 16)), t = _mm_loadu_si128((const __m128i *)(const void *)(b + 16));
  pairs[0] = _mm256_set_m128i(_mm_unpackhi_epi16(p, q), _mm_unpacklo_epi16(p, q));
  pairs[1] = _mm256_set_m128i(_mm_unpackhi_epi16(s, t), _mm_unpacklo_epi16(s, t));
}

void hwb_weighted_s32__avx2(const hwb_weighted_rows *r, int32_t *sums) {
  const __m256i *w = (const __m256i *)(const void *)r->weights;
  char rooms[2][2 * HWB_TILE_COLUMNS];
  for (int64_t c = 0; c < r->channels; c += HWB_TILE_COLUMNS) {
    __m256i low = _mm256_setzero_si256(), high = low, pairs[2];
    for (int64_t t = 0; t < r->terms; t += 2, w += 2) {
      const char *a = hwb_sixteen_of_row(r, t, c, rooms[0]), *b = hwb_sixteen_of_row(r, t + 1, c, rooms[1]);
      side_by_side(a, b, r->dtype, pairs);
      low = _mm256_add_epi32(low, _mm256_madd_epi16(pairs[0], _mm256_load_si256(w)));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(pairs[1], _mm256_load_si256(w + 1)));
    }
    _mm256_storeu_si256((__m256i *)(void *)(sums + c), low);
    _mm256_storeu_si256((__m256i *)(void *)(sums + c + 8), high);
  }
}
