/* AVX2 widening of stored codes to centred int16, and their offset to uint8. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

static inline __m256i load16(const void *x, int64_t dtype, int64_t i) {
  switch (dtype) {
  case HWB_S8: return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)((const int8_t *)x + i)));
  case HWB_U8: return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)((const uint8_t *)x + i)));
  default: return _mm256_loadu_si256((const __m256i *)((const int16_t *)x + i));
  }
}

void hwb_widen__avx2(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n) {
  __m256i z = _mm256_set1_epi16((int16_t)zero);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) _mm256_storeu_si256((__m256i *)(y + i), _mm256_sub_epi16(load16(x, dtype, i), z));
  for (; i < n; i++) y[i] = (int16_t)(hwb_load(x, dtype, i) - zero);
}

void hwb_offset__avx2(const void *x, int64_t dtype, uint8_t *y, int64_t n) {
  uint8_t flip = dtype == HWB_S8 ? 0x80 : 0; /* adding 128 changes the highest bit alone */
  const uint8_t *from = x;
  __m256i flips = _mm256_set1_epi8((char)flip);
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(from + i));
    _mm256_storeu_si256((__m256i *)(void *)(y + i), _mm256_xor_si256(v, flips));
  }
  for (; i < n; i++) y[i] = from[i] ^ flip;
}
