/* AVX2 tiles of 16-bit rows and weights kept as bytes, widened in registers: for few rows, which memory bounds. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

enum { ROWS = 6, AHEAD = 1024 }; /* bytes of weights fetched ahead */

INLINE __m256i broadcast_pair(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm256_set1_epi32(pair);
}

INLINE __m256i widened(const int8_t *w) {
  return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)w));
}

/* n is a constant at every call, so that the loops unroll. */
INLINE void tile_s32(const int n, const hwb_tile *tile, int32_t *out) {
  __m256i sums[2 * ROWS];
  const int8_t *w = tile->panel;
  const int16_t *x[ROWS];
  EACH(i, n) x[i] = tile->rows[i];
  EACH(i, 2 * n) sums[i] = _mm256_setzero_si256();
  for (int64_t t = 0; t < tile->taps; t++)
    for (int64_t k = tile->offsets[t], end = k + 2 * tile->steps; k < end; k += 2, w += 32) {
      _mm_prefetch((const char *)w + AHEAD, _MM_HINT_T0);
      __m256i w0 = widened(w), w1 = widened(w + 16);
      EACH(i, n) {
        __m256i a = broadcast_pair(x[i] + k);
        sums[2 * i] = _mm256_add_epi32(sums[2 * i], _mm256_madd_epi16(a, w0));
        sums[2 * i + 1] = _mm256_add_epi32(sums[2 * i + 1], _mm256_madd_epi16(a, w1));
      }
    }
  EACH(i, 2 * n) _mm256_storeu_si256((__m256i *)(void *)(out + 8 * i), sums[i]);
}

/* One row: four steps a turn, so that loading the weights is all that it waits for. */
static void row_s32(const hwb_tile *tile, int32_t *out) {
  __m256i low = _mm256_setzero_si256(), high = low;
  const int8_t *w = tile->panel;
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x = (const int16_t *)tile->rows[0] + tile->offsets[t], *end = x + 2 * tile->steps;
    for (; x + 8 <= end; x += 8, w += 128) {
      _mm_prefetch((const char *)w + 2 * AHEAD, _MM_HINT_T0);
      _mm_prefetch((const char *)w + 2 * AHEAD + 64, _MM_HINT_T0);
      EACH(i, 4) {
        __m256i a = broadcast_pair(x + 2 * i);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(a, widened(w + 32 * i)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(a, widened(w + 32 * i + 16)));
      }
    }
    for (; x < end; x += 2, w += 32) {
      __m256i a = broadcast_pair(x);
      low = _mm256_add_epi32(low, _mm256_madd_epi16(a, widened(w)));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(a, widened(w + 16)));
    }
  }
  _mm256_storeu_si256((__m256i *)(void *)out, low);
  _mm256_storeu_si256((__m256i *)(void *)(out + 8), high);
}

void hwb_gemm_s16s8_s32__avx2(const hwb_tile *tile, int32_t *sums) {
  switch (tile->count) {
  case 1: row_s32(tile, sums); break;
  case 2: tile_s32(2, tile, sums); break;
  case 3: tile_s32(3, tile, sums); break;
  case 4: tile_s32(4, tile, sums); break;
  case 5: tile_s32(5, tile, sums); break;
  default: tile_s32(6, tile, sums); break;
  }
}
