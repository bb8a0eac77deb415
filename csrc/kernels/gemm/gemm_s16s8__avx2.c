/* AVX2 tiles of 16-bit rows and weights kept as bytes, for few rows, which memory bounds. A word holds the weights of two
   columns, 256 · first + second + 128: its product less 256 times that of `first` and 128 times the input is the second's,
   modulo 2^32. So weights are taken apart by one shift, where widening bytes would shuffle every one of them. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define KEEP(v) __asm__("" : "+x"(v)) /* add now: gcc would collect all products first, and spill them */
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++) /* unrolled, or sums leave their registers */

enum { ROWS = 6, AHEAD = 256 }; /* bytes of weights fetched ahead: more would hinder the processor's own fetching */

INLINE __m256i broadcast_pair(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm256_set1_epi32(pair);
}

INLINE __m256i words_at(const int16_t *w) { return _mm256_load_si256((const __m256i *)(const void *)w); }

/* The first weight of each word. */
INLINE __m256i first_of(__m256i words) { return _mm256_srai_epi16(words, 8); }

INLINE void store_sums(const hwb_tile *tile, int64_t row, __m256i both, __m256i first, int32_t *out) {
  uint32_t total = tile->totals ? tile->totals[row] : hwb_row_total(tile->rows[row], tile->offsets, tile->taps, tile->steps);
  __m256i added = _mm256_set1_epi32((int32_t)(128 * total));
  _mm256_storeu_si256((__m256i *)(void *)out, first);
  both = _mm256_sub_epi32(_mm256_sub_epi32(both, _mm256_slli_epi32(first, 8)), added);
  _mm256_storeu_si256((__m256i *)(void *)(out + 8), both);
}

/* n is a constant at every call, so that the loops unroll. */
INLINE void tile_s32(const int n, const hwb_tile *tile, int32_t *out) {
  __m256i both[ROWS], first[ROWS];
  const int16_t *w = tile->panel, *x[ROWS];
  EACH(i, n) x[i] = tile->rows[i];
  EACH(i, n) both[i] = first[i] = _mm256_setzero_si256();
  for (int64_t t = 0; t < tile->taps; t++)
    for (int64_t k = tile->offsets[t], end = k + 2 * tile->steps; k < end; k += 2, w += 16) {
      __m256i words = words_at(w), firsts = first_of(words);
      EACH(i, n) {
        __m256i a = broadcast_pair(x[i] + k);
        both[i] = _mm256_add_epi32(both[i], _mm256_madd_epi16(a, words));
        first[i] = _mm256_add_epi32(first[i], _mm256_madd_epi16(a, firsts));
        KEEP(both[i]);
        KEEP(first[i]);
      }
    }
  EACH(i, n) store_sums(tile, i, both[i], first[i], out + 16 * i);
}

/* One row: four steps a turn, so that loading the weights is all that it waits for. */
static void row_s32(const hwb_tile *tile, int32_t *out) {
  __m256i both = _mm256_setzero_si256(), first = both;
  const int16_t *w = tile->panel;
  for (int64_t t = 0; t < tile->taps; t++) {
    const int16_t *x = (const int16_t *)tile->rows[0] + tile->offsets[t], *end = x + 2 * tile->steps;
    for (; x + 8 <= end; x += 8, w += 64) {
      _mm_prefetch((const char *)w + AHEAD, _MM_HINT_T0);
      _mm_prefetch((const char *)w + AHEAD + 64, _MM_HINT_T0);
      EACH(i, 4) {
        __m256i a = broadcast_pair(x + 2 * i), words = words_at(w + 16 * i);
        both = _mm256_add_epi32(both, _mm256_madd_epi16(a, words));
        first = _mm256_add_epi32(first, _mm256_madd_epi16(a, first_of(words)));
      }
    }
    for (; x < end; x += 2, w += 16) {
      __m256i a = broadcast_pair(x), words = words_at(w);
      both = _mm256_add_epi32(both, _mm256_madd_epi16(a, words));
      first = _mm256_add_epi32(first, _mm256_madd_epi16(a, first_of(words)));
    }
  }
  store_sums(tile, 0, both, first, out);
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
