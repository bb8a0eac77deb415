/* AVX-512 VNNI tiles of 16-bit words: 8 rows × 16 columns; per pair of k one load of weights, and a broadcast and a
   vpdpwssd for each row. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

INLINE __m512i broadcast_pair(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm512_set1_epi32(pair);
}

/* sums += rows · weights over `steps` pairs of k; n is a constant at every call, so that the loops unroll. */
INLINE void run_pairs(const int n, const int16_t *const *x, const int16_t *w, int64_t steps, __m512i *sums) {
  for (int64_t k = 0; k < steps; k++) {
    __m512i column = _mm512_load_si512(w + 32 * k);
    EACH(i, n) sums[i] = _mm512_dpwssd_epi32(sums[i], broadcast_pair(x[i] + 2 * k), column);
  }
}

INLINE void tile_s32(const int n, const hwb_tile *tile, int32_t *out) {
  __m512i sums[HWB_TILE_ROWS];
  const int16_t *w = tile->panel;
  EACH(i, n) sums[i] = _mm512_setzero_si512();
  for (int64_t t = 0; t < tile->taps; t++, w += 32 * tile->steps) {
    const int16_t *x[HWB_TILE_ROWS];
    EACH(i, n) x[i] = (const int16_t *)tile->rows[i] + tile->offsets[t];
    run_pairs(n, x, w, tile->steps, sums);
  }
  EACH(i, n) _mm512_storeu_si512(out + 16 * i, sums[i]);
}

void hwb_gemm_s16s16_s32__avx512(const hwb_tile *tile, int32_t *sums) {
  switch (tile->count) {
  case 1: tile_s32(1, tile, sums); break;
  case 2: tile_s32(2, tile, sums); break;
  case 3: tile_s32(3, tile, sums); break;
  case 4: tile_s32(4, tile, sums); break;
  case 5: tile_s32(5, tile, sums); break;
  case 6: tile_s32(6, tile, sums); break;
  case 7: tile_s32(7, tile, sums); break;
  default: tile_s32(8, tile, sums); break;
  }
}

/* Add the 32-bit sums into the 64-bit ones. */
INLINE void flush_sums(const int n, const __m512i *sums, int64_t *out) {
  EACH(i, n) {
    int64_t *y = out + 16 * i;
    __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(sums[i]));
    __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(sums[i], 1));
    _mm512_storeu_si512(y, _mm512_add_epi64(_mm512_loadu_si512(y), low));
    _mm512_storeu_si512(y + 8, _mm512_add_epi64(_mm512_loadu_si512(y + 8), high));
  }
}

INLINE void tile_s64(const int n, const hwb_tile *tile, int64_t *out) {
  const int16_t *w = tile->panel;
  memset(out, 0, sizeof(int64_t) * (size_t)n * HWB_TILE_COLUMNS);
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x[HWB_TILE_ROWS];
    EACH(i, n) x[i] = (const int16_t *)tile->rows[i] + tile->offsets[t];
    for (int64_t k = 0; k < tile->steps; k += tile->flush) {
      int64_t run = hwb_min(tile->flush, tile->steps - k);
      __m512i sums[HWB_TILE_ROWS];
      EACH(i, n) sums[i] = _mm512_setzero_si512();
      run_pairs(n, x, w, run, sums);
      flush_sums(n, sums, out);
      w += 32 * run;
      EACH(i, n) x[i] += 2 * run;
    }
  }
}

void hwb_gemm_s16s16_s64__avx512(const hwb_tile *tile, int64_t *sums) {
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
  case 6: tile_s64(6, tile, sums); break;
  case 7: tile_s64(7, tile, sums); break;
  default: tile_s64(8, tile, sums); break;
  }
}
