/* AVX2 depthwise sums in order: 16 channels of two positions at once, one product in each 32-bit lane. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i) _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) /* two halves of two positions */

/* Products of 8 channels: inputs in the lower half of each lane meet weights in the lower half. */
INLINE __m256i products(const int16_t *x, const int32_t *w) {
  __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
  return _mm256_madd_epi16(wide, _mm256_loadu_si256((const __m256i *)(const void *)w));
}

/* Where the halves of the positions i and i + 1 lie; the last position stands for the one beyond it. */
INLINE void places(const hwb_channel_windows *c, int64_t i, const int16_t **x, int64_t *at) {
  int64_t next = i + 1 < c->count ? i + 1 : i;
  EACH(h) {
    int64_t position = h / 2 ? next : i;
    x[h] = c->x + position * c->step + 8 * (h % 2);
    at[h] = position * HWB_TILE_COLUMNS + 8 * (h % 2);
  }
}

INLINE void put(int32_t *y, __m256i v) { _mm256_storeu_si256((__m256i *)(void *)y, v); }

void hwb_ordered_channels_limited__avx2(const hwb_channel_windows *c, int32_t *sums, int32_t *totals) {
  __m256i low = _mm256_set1_epi32((int32_t)c->low), high = _mm256_set1_epi32((int32_t)c->high);
  for (int64_t i = 0; i < c->count; i += 2) {
    const int16_t *x[4];
    int64_t at[4];
    __m256i held[4], total[4];
    places(c, i, x, at);
    EACH(h) {
      held[h] = _mm256_loadu_si256((const __m256i *)(void *)(sums + at[h]));
      total[h] = _mm256_setzero_si256();
    }
    for (int64_t t = 0; t < c->taps; t++)
      EACH(h) {
        __m256i p = products(x[h] + c->offsets[t], c->weights + t * HWB_TILE_COLUMNS + 8 * (h % 2));
        held[h] = _mm256_max_epi32(low, _mm256_min_epi32(high, _mm256_add_epi32(held[h], p)));
        total[h] = _mm256_add_epi32(total[h], p);
      }
    EACH(h) put(sums + at[h], held[h]);
    EACH(h) put(totals + at[h], total[h]);
  }
}

void hwb_ordered_channels_plain__avx2(const hwb_channel_windows *c, int32_t *sums, int32_t *sizes) {
  for (int64_t i = 0; i < c->count; i += 2) {
    const int16_t *x[4];
    int64_t at[4];
    __m256i sum[4], size[4];
    places(c, i, x, at);
    EACH(h) sum[h] = size[h] = _mm256_setzero_si256();
    for (int64_t t = 0; t < c->taps; t++)
      EACH(h) {
        __m256i p = products(x[h] + c->offsets[t], c->weights + t * HWB_TILE_COLUMNS + 8 * (h % 2));
        sum[h] = _mm256_add_epi32(sum[h], p);
        size[h] = _mm256_add_epi32(size[h], _mm256_abs_epi32(p));
      }
    EACH(h) put(sums + at[h], sum[h]);
    EACH(h) put(sizes + at[h], size[h]);
  }
}
