/* AVX2 depthwise: two rows interleaved, so that vpmaddwd adds two taps of each channel. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

INLINE __m128i bytes16(const void *x) { return _mm_loadu_si128((const __m128i *)x); }

/* 16 pairs of one pixel: channels in order, the two rows side by side. */
INLINE void pairs_of(const void *a, const void *b, int64_t dtype, int16_t *column) {
  __m256i low, high;
  if (dtype == HWB_S16) {
    __m256i x = _mm256_loadu_si256((const __m256i *)a), y = _mm256_loadu_si256((const __m256i *)b);
    __m256i first = _mm256_unpacklo_epi16(x, y), second = _mm256_unpackhi_epi16(x, y);
    low = _mm256_permute2x128_si256(first, second, 0x20);
    high = _mm256_permute2x128_si256(first, second, 0x31);
  } else {
    __m128i first = _mm_unpacklo_epi8(bytes16(a), bytes16(b)), second = _mm_unpackhi_epi8(bytes16(a), bytes16(b));
    low = dtype == HWB_S8 ? _mm256_cvtepi8_epi16(first) : _mm256_cvtepu8_epi16(first);
    high = dtype == HWB_S8 ? _mm256_cvtepi8_epi16(second) : _mm256_cvtepu8_epi16(second);
  }
  _mm256_store_si256((__m256i *)(void *)column, low);
  _mm256_store_si256((__m256i *)(void *)(column + 16), high);
}

/* The pixel at x; fewer than 16 channels are copied first, so that nothing beyond them is read. */
INLINE const void *pixel(const char *x, int64_t width, size_t size, char *copy) {
  if (width == 16) return x;
  memcpy(copy, x, (size_t)width * size);
  return copy;
}

INLINE void columns_of(const hwb_side_by_side *from, const int64_t dtype, int16_t *columns, int64_t step) {
  const size_t size = dtype == HWB_S16 ? 2 : 1;
  const char *x0 = from->x[0], *x1 = from->x[1];
  const int64_t s0 = from->step[0] * (int64_t)size, s1 = from->step[1] * (int64_t)size;
  const int64_t pixels = from->pixels, width = from->width;
  char a[32] = {0}, b[32] = {0};
  for (int64_t i = 0; i < pixels; i++, x0 += s0, x1 += s1)
    pairs_of(pixel(x0, width, size, a), pixel(x1, width, size, b), dtype, columns + i * step);
}

void hwb_columns_s16__avx2(const hwb_side_by_side *from, int16_t *columns, int64_t step) {
  switch (from->dtype) {
  case HWB_S8: columns_of(from, HWB_S8, columns, step); break;
  case HWB_U8: columns_of(from, HWB_U8, columns, step); break;
  case HWB_S16: columns_of(from, HWB_S16, columns, step); break;
  default: hwb_columns_s16__ref(from, columns, step); break;
  }
}

INLINE void sums_of(const int n, const hwb_columns *c, int64_t first, int32_t *out) {
  const char *x = (const char *)c->columns + first * c->step;
  const int16_t *w = c->weights;
  __m256i sums[8];
  EACH(i, 2 * n) sums[i] = _mm256_setzero_si256();
  for (int64_t t = 0; t < c->terms; t++, w += 32) {
    __m256i w0 = _mm256_load_si256((const __m256i *)(const void *)w);
    __m256i w1 = _mm256_load_si256((const __m256i *)(const void *)(w + 16));
    EACH(i, n) {
      const __m256i *column = (const __m256i *)(const void *)(x + i * c->step + c->offsets[t]);
      sums[2 * i] = _mm256_add_epi32(sums[2 * i], _mm256_madd_epi16(_mm256_load_si256(column), w0));
      sums[2 * i + 1] = _mm256_add_epi32(sums[2 * i + 1], _mm256_madd_epi16(_mm256_load_si256(column + 1), w1));
    }
  }
  EACH(i, 2 * n) _mm256_storeu_si256((__m256i *)(void *)(out + first * 16 + 8 * i), sums[i]);
}

void hwb_depthwise_s16s16_s32__avx2(const hwb_columns *c, int32_t *sums) {
  int64_t i = 0;
  for (; i + 4 <= c->count; i += 4) sums_of(4, c, i, sums);
  for (; i + 2 <= c->count; i += 2) sums_of(2, c, i, sums);
  for (; i < c->count; i++) sums_of(1, c, i, sums);
}
