/* AVX2 tiles whose pairs of products saturate to 16 bits; one row at a time, products and sums in 32 bits. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

/* Sums of one row with 16 columns; pairs of 8-bit operands stay far within 32 bits. */
static void row_out(const hwb_tile *tile, int64_t row, int32_t *out) {
  __m256i high = _mm256_set1_epi32(INT16_MAX), low = _mm256_set1_epi32(INT16_MIN);
  __m256i s0 = _mm256_setzero_si256(), s1 = s0;
  const int16_t *w = tile->panel;
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x = (const int16_t *)tile->rows[row] + tile->offsets[t];
    for (int64_t k = 0; k < tile->steps; k++, w += 2 * HWB_TILE_COLUMNS) {
      int32_t pair;
      memcpy(&pair, x + 2 * k, sizeof pair);
      __m256i a = _mm256_set1_epi32(pair);
      __m256i p0 = _mm256_madd_epi16(a, _mm256_load_si256((const __m256i *)w));
      __m256i p1 = _mm256_madd_epi16(a, _mm256_load_si256((const __m256i *)(w + 16)));
      s0 = _mm256_add_epi32(s0, _mm256_max_epi32(_mm256_min_epi32(p0, high), low));
      s1 = _mm256_add_epi32(s1, _mm256_max_epi32(_mm256_min_epi32(p1, high), low));
    }
  }
  _mm256_storeu_si256((__m256i *)out, s0);
  _mm256_storeu_si256((__m256i *)(out + 8), s1);
}

void hwb_gemm_s16s16_sat16_s32__avx2(const hwb_tile *tile, int32_t *sums) {
  for (int64_t i = 0; i < tile->count; i++) row_out(tile, i, sums + i * HWB_TILE_COLUMNS);
}
