/* AVX2 tiles of bytes with narrow weights: vpmaddubsw sums pairs in 16 bits, `flush` steps of them before they are
   widened into the 32-bit sums. Exact while no 16-bit sum can leave its range, which the binding proves of the weights. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

#define KEEP(v) __asm__("" : "+x"(v)) /* add now: gcc would collect all products first, and spill them */

enum { ROWS = 4, BLOCK = 8, HALF = 4 }; /* steps that are summed in 16 bits at once where the weights allow it */

INLINE __m256i broadcast_four(const uint8_t *x) {
  int32_t four;
  memcpy(&four, x, sizeof four);
  return _mm256_set1_epi32(four);
}

/* `steps` steps in 16 bits, then added to the sums in memory; n, and `steps` of whole blocks, are constants. */
INLINE void run_steps(const int n, const int64_t steps, const uint8_t *const *x, int64_t at, const int8_t *w,
                      int32_t *out) {
  __m256i narrow[2 * ROWS], ones = _mm256_set1_epi16(1);
  EACH(i, 2 * n) narrow[i] = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int64_t k = 0; k < steps; k++) {
    __m256i w0 = _mm256_load_si256((const __m256i *)(const void *)(w + 64 * k));
    __m256i w1 = _mm256_load_si256((const __m256i *)(const void *)(w + 64 * k + 32));
    EACH(i, n) {
      __m256i a = broadcast_four(x[i] + at + 4 * k);
      narrow[2 * i] = _mm256_add_epi16(narrow[2 * i], _mm256_maddubs_epi16(a, w0));
      narrow[2 * i + 1] = _mm256_add_epi16(narrow[2 * i + 1], _mm256_maddubs_epi16(a, w1));
      KEEP(narrow[2 * i]);
      KEEP(narrow[2 * i + 1]);
    }
  }
  EACH(i, 2 * n) {
    __m256i *y = (__m256i *)(void *)(out + 8 * i);
    _mm256_storeu_si256(y, _mm256_add_epi32(_mm256_loadu_si256(y), _mm256_madd_epi16(narrow[i], ones)));
  }
}

INLINE void tile_s32(const int n, const hwb_tile *tile, int32_t *out) {
  const int8_t *w = tile->panel;
  const uint8_t *x[ROWS];
  EACH(i, n) x[i] = tile->rows[i];
  memset(out, 0, sizeof *out * (size_t)n * HWB_TILE_COLUMNS);
  for (int64_t t = 0; t < tile->taps; t++) {
    int64_t at = tile->offsets[t], left = tile->steps;
    for (; left >= BLOCK && tile->flush >= BLOCK; left -= BLOCK, at += 4 * BLOCK, w += 64 * BLOCK)
      run_steps(n, BLOCK, x, at, w, out);
    for (; left >= HALF && tile->flush >= HALF; left -= HALF, at += 4 * HALF, w += 64 * HALF)
      run_steps(n, HALF, x, at, w, out);
    for (int64_t run; left; left -= run, at += 4 * run, w += 64 * run) {
      run = hwb_min(tile->flush, left);
      run_steps(n, run, x, at, w, out);
    }
  }
}

void hwb_gemm_u8s8_s32__avx2(const hwb_tile *tile, int32_t *sums) {
  if (tile->flush < 1) {
    hwb_gemm_u8s8_s32__ref(tile, sums);
    return;
  }
  switch (tile->count) {
  case 1: tile_s32(1, tile, sums); break;
  case 2: tile_s32(2, tile, sums); break;
  case 3: tile_s32(3, tile, sums); break;
  default: tile_s32(4, tile, sums); break;
  }
}
