/* AVX2 depthwise sums: two taps interleaved, so that vpmaddwd adds them. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

void hwb_depthwise_s16s16_s32__avx2(const int16_t *x, const int64_t *offsets, int64_t taps, const int16_t *weights,
                                    int32_t *sums) {
  __m256i low = _mm256_setzero_si256(), high = low;
  for (int64_t t = 0; t < taps; t += 2, weights += 32) {
    __m256i a = _mm256_loadu_si256((const __m256i *)(x + offsets[t]));
    __m256i b = t + 1 < taps ? _mm256_loadu_si256((const __m256i *)(x + offsets[t + 1])) : _mm256_setzero_si256();
    __m256i w0 = _mm256_loadu_si256((const __m256i *)weights), w1 = _mm256_loadu_si256((const __m256i *)(weights + 16));
    /* lanes of unpack: channels 0-3 and 8-11 in the low half, 4-7 and 12-15 in the high half */
    __m256i wl = _mm256_permute2x128_si256(w0, w1, 0x20), wh = _mm256_permute2x128_si256(w0, w1, 0x31);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), wl));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), wh));
  }
  _mm256_storeu_si256((__m256i *)sums, _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_storeu_si256((__m256i *)(sums + 8), _mm256_permute2x128_si256(low, high, 0x31));
}
