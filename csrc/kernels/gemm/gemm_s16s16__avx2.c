/* AVX2 tiles: 6 rows × 16 columns in 12 registers; per pair of k two loads of weights, a broadcast per row,
   vpmaddwd and vpaddd. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define KEEP(v) __asm__("" : "+x"(v)) /* add now: gcc would collect all products first, and spill them */

enum { ROWS = 6 };

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

INLINE __m256i broadcast_pair(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm256_set1_epi32(pair);
}

/* sums += rows · weights over `pairs` pairs of k; `n` is a constant at every call, so that the loops unroll. */
INLINE void run_pairs(const int n, const int16_t *const *x, const int16_t *w, int64_t pairs, __m256i *sums) {
  __m256i s[2 * ROWS];
  const int16_t *r[ROWS];
  EACH(i, n) {
    r[i] = x[i];
    s[2 * i] = sums[2 * i];
    s[2 * i + 1] = sums[2 * i + 1];
  }
  for (int64_t k = 0; k < pairs; k++) {
    __m256i w0 = _mm256_load_si256((const __m256i *)(w + 32 * k));
    __m256i w1 = _mm256_load_si256((const __m256i *)(w + 32 * k + 16));
    EACH(i, n) {
      __m256i a = broadcast_pair(r[i] + 2 * k);
      s[2 * i] = _mm256_add_epi32(s[2 * i], _mm256_madd_epi16(a, w0));
      s[2 * i + 1] = _mm256_add_epi32(s[2 * i + 1], _mm256_madd_epi16(a, w1));
      KEEP(s[2 * i]);
      KEEP(s[2 * i + 1]);
    }
  }
  EACH(i, 2 * n) sums[i] = s[i];
}

INLINE void tile_s32(const int n, const hwb_tile *tile, int32_t *out) {
  __m256i sums[2 * ROWS];
  EACH(i, 2 * n) sums[i] = _mm256_setzero_si256();
  const int16_t *w = tile->panel;
  for (int64_t t = 0; t < tile->taps; t++, w += 32 * tile->steps) {
    const int16_t *x[ROWS];
    EACH(i, n) x[i] = (const int16_t *)tile->rows[i] + tile->offsets[t];
    run_pairs(n, x, w, tile->steps, sums);
  }
  EACH(i, 2 * n) _mm256_storeu_si256((__m256i *)(out + 8 * i), sums[i]);
}

void hwb_gemm_s16s16_s32__avx2(const hwb_tile *tile, int32_t *sums) {
  switch (tile->count) {
  case 1: tile_s32(1, tile, sums); break;
  case 2: tile_s32(2, tile, sums); break;
  case 3: tile_s32(3, tile, sums); break;
  case 4: tile_s32(4, tile, sums); break;
  case 5: tile_s32(5, tile, sums); break;
  default: tile_s32(6, tile, sums); break;
  }
}

/* Add the 32-bit sums into the 64-bit ones. */
INLINE void flush_sums(const int n, const __m256i *sums, int64_t *out) {
  EACH(i, 2 * n)
    for (int h = 0; h < 2; h++) {
      __m128i half = h ? _mm256_extracti128_si256(sums[i], 1) : _mm256_castsi256_si128(sums[i]);
      __m256i *y = (__m256i *)(out + 8 * i + 4 * h);
      _mm256_storeu_si256(y, _mm256_add_epi64(_mm256_loadu_si256(y), _mm256_cvtepi32_epi64(half)));
    }
}

INLINE void tile_s64(const int n, const hwb_tile *tile, int64_t *out) {
  memset(out, 0, sizeof(int64_t) * (size_t)n * HWB_TILE_COLUMNS);
  const int16_t *w = tile->panel;
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x[ROWS];
    EACH(i, n) x[i] = (const int16_t *)tile->rows[i] + tile->offsets[t];
    for (int64_t k = 0; k < tile->steps; k += tile->flush) {
      int64_t run = hwb_min(tile->flush, tile->steps - k);
      __m256i sums[2 * ROWS];
      EACH(i, 2 * n) sums[i] = _mm256_setzero_si256();
      run_pairs(n, x, w, run, sums);
      flush_sums(n, sums, out);
      w += 32 * run;
      EACH(i, n) x[i] += 2 * run;
    }
  }
}

void hwb_gemm_s16s16_s64__avx2(const hwb_tile *tile, int64_t *sums) {
  if (tile->flush < 1) {
    hwb_gemm_s16s16_s64__ref(tile, sums);
    return;
  }
  switch (tile->count) {
  case 1: tile_s64(1, tile, sums); break;
  case 2: tile_s64(2, tile, sums); break;
  case 3: tile_s64(3, tile, sums); break;
  case 4: tile_s64(4, tile, sums); break;
  case 5: tile_s64(5, tile, sums); break;
  default: tile_s64(6, tile, sums); break;
  }
}
