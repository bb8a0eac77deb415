/* AVX-512 VNNI tiles of bytes: 8 rows × 16 columns; per four k one load of weights, and a broadcast and a vpdpbusd for
   each row. vpdpbusd does not saturate, so sums are exact modulo 2^32. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

INLINE __m512i broadcast_four(const uint8_t *x) {
  int32_t four;
  memcpy(&four, x, sizeof four);
  return _mm512_set1_epi32(four);
}

/* n is a constant at every call, so that the loops unroll. */
INLINE void tile_s32(const int n, const hwb_tile *tile, int32_t *out) {
  __m512i sums[HWB_TILE_ROWS];
  const int8_t *w = tile->panel;
  const uint8_t *x[HWB_TILE_ROWS];
  EACH(i, n) {
    x[i] = tile->rows[i];
    sums[i] = _mm512_setzero_si512();
  }
  for (int64_t t = 0; t < tile->taps; t++)
    for (int64_t k = tile->offsets[t], end = k + 4 * tile->steps; k < end; k += 4, w += 64) {
      __m512i column = _mm512_load_si512(w);
      EACH(i, n) sums[i] = _mm512_dpbusd_epi32(sums[i], broadcast_four(x[i] + k), column);
    }
  EACH(i, n) _mm512_storeu_si512(out + 16 * i, sums[i]);
}

enum { AHEAD = 256 }; /* bytes of weights fetched ahead of a single row: more would hinder the processor's own fetching */

/* One row: four sums side by side hide the latency of vpdpbusd. */
static void row_s32(const hwb_tile *tile, int32_t *out) {
  __m512i sums[4];
  const int8_t *w = tile->panel;
  EACH(i, 4) sums[i] = _mm512_setzero_si512();
  for (int64_t t = 0; t < tile->taps; t++) {
    const uint8_t *x = (const uint8_t *)tile->rows[0] + tile->offsets[t], *end = x + 4 * tile->steps;
    for (; x + 16 <= end; x += 16, w += 256)
      EACH(i, 4) {
        _mm_prefetch((const char *)w + 64 * i + AHEAD, _MM_HINT_T0);
        sums[i] = _mm512_dpbusd_epi32(sums[i], broadcast_four(x + 4 * i), _mm512_load_si512(w + 64 * i));
      }
    for (; x < end; x += 4, w += 64) sums[0] = _mm512_dpbusd_epi32(sums[0], broadcast_four(x), _mm512_load_si512(w));
  }
  __m512i low = _mm512_add_epi32(sums[0], sums[1]), high = _mm512_add_epi32(sums[2], sums[3]);
  _mm512_storeu_si512(out, _mm512_add_epi32(low, high));
}

void hwb_gemm_u8s8_s32__avx512(const hwb_tile *tile, int32_t *sums) {
  switch (tile->count) {
  case 1: row_s32(tile, sums); break;
  case 2: tile_s32(2, tile, sums); break;
  case 3: tile_s32(3, tile, sums); break;
  case 4: tile_s32(4, tile, sums); break;
  case 5: tile_s32(5, tile, sums); break;
  case 6: tile_s32(6, tile, sums); break;
  case 7: tile_s32(7, tile, sums); break;
  default: tile_s32(8, tile, sums); break;
  }
}
