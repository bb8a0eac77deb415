/* AVX-512 VNNI weighted sums over rows: codes of two rows side by side in 16 bits times pairs of weights (vpdpwssd). */
#include <hwblocks/weighted_rows.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load32(const char *x) { return _mm256_loadu_si256((const __m256i *)(const void *)x); }

/* 16 channels of two rows as [16][2] int16. */
INLINE __m512i side_by_side(const char *a, const char *b, int64_t dtype) {
  if (dtype == HWB_S16) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5,
                                           20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(load32(a)), load32(b), 1);
    return _mm512_permutexvar_epi16(order, both);
  }
  __m128i p = _mm_loadu_si128((const __m128i *)(const void *)a), q = _mm_loadu_si128((const __m128i *)(const void *)b);
  __m256i bytes = _mm256_set_m128i(_mm_unpackhi_epi8(p, q), _mm_unpacklo_epi8(p, q));
  return dtype == HWB_S8 ? _mm512_cvtepi8_epi16(bytes) : _mm512_cvtepu8_epi16(bytes);
}

void hwb_weighted_s32__avx512(const hwb_weighted_rows *r, int32_t *sums) {
  const int16_t *w = r->weights;
  char rooms[2][2 * HWB_TILE_COLUMNS];
  for (int64_t c = 0; c < r->channels; c += HWB_TILE_COLUMNS) {
    __m512i sum = _mm512_setzero_si512();
    for (int64_t t = 0; t < r->terms; t += 2, w += 2 * HWB_TILE_COLUMNS) {
      const char *a = hwb_sixteen_of_row(r, t, c, rooms[0]), *b = hwb_sixteen_of_row(r, t + 1, c, rooms[1]);
      sum = _mm512_dpwssd_epi32(sum, side_by_side(a, b, r->dtype), _mm512_load_si512(w));
    }
    _mm512_storeu_si512(sums + c, sum);
  }
}
