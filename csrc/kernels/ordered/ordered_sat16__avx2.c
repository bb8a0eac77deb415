/* AVX2 tiles that saturate to 16 bits after every product: 6 rows × 32 columns in 12 registers, vpmullw and vpaddsw.

   Panels are skewed: lanes of even columns are one product behind those of odd ones, so that one 32-bit broadcast of two
   neighbouring inputs feeds both. vpmullw and vpaddsw share two of the four vector ports, which would make this loop
   wait for them; two of the twelve sums therefore saturate by minima and maxima, which any port runs. In assembly,
   because the compiler orders the loop so that it loses a sixth. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

static const int16_t constants[48] __attribute__((aligned(64))) = {
    [16] = -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN,
    INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN};

#define LOAD(at, sum) "vmovdqu " #at "(%[sums]), %%ymm" #sum "\n\t"
#define STORE(at, sum) "vmovdqu %%ymm" #sum ", " #at "(%[sums])\n\t"
#define TURN(sum) "vpxor 64(%[constants]), %%ymm" #sum ", %%ymm" #sum "\n\t"
#define PRODUCTS(row) \
  "vpbroadcastd (%[" #row "],%[k],2), %%ymm13\n\t" \
  "vpmullw %%ymm12, %%ymm13, %%ymm14\n\t" \
  "vpmullw 32(%[w]), %%ymm13, %%ymm13\n\t"
#define ADD(product, sum) "vpaddsw %%ymm" #product ", %%ymm" #sum ", %%ymm" #sum "\n\t"
#define ROW(row, first, second) PRODUCTS(row) ADD(14, first) ADD(13, second)
/* sum + p for a sum with its sign bit turned, so that its range is 0 to 65535: p = up − down, both 0 or more, one of
   them 0; min(sum, 65535 − up) and max(sum, down) leave room for p. ymm15: up, then down; ymm14: 65535 − up. */
#define ADD_BY_LIMITS(sum) \
  "vpmaxsw (%[constants]), %%ymm13, %%ymm15\n\t" \
  "vpxor 32(%[constants]), %%ymm15, %%ymm14\n\t" \
  "vpsubw %%ymm13, %%ymm15, %%ymm15\n\t" \
  "vpminuw %%ymm14, %%ymm" #sum ", %%ymm" #sum "\n\t" \
  "vpmaxuw %%ymm15, %%ymm" #sum ", %%ymm" #sum "\n\t" \
  "vpaddw %%ymm13, %%ymm" #sum ", %%ymm" #sum "\n\t"
#define ROW_BY_LIMITS(row, first, second) PRODUCTS(row) ADD(14, first) ADD_BY_LIMITS(second)
#define ALL(move) \
  move(0, 0) move(32, 1) move(64, 2) move(96, 3) move(128, 4) move(160, 5) \
  move(192, 6) move(224, 7) move(256, 8) move(288, 9) move(320, 10) move(352, 11)

static void saturating(const hwb_limited_tile *tile, int16_t *sums) {
  const int16_t *w = tile->panel, *const *rows = tile->rows;
  int64_t k = 0;
  __asm__ volatile(
      ALL(LOAD) TURN(3) TURN(9)
      ".p2align 5\n"
      "1:\n\t"
      "vmovdqa (%[w]), %%ymm12\n\t"
      ROW(r0, 0, 1) ROW_BY_LIMITS(r1, 2, 3) ROW(r2, 4, 5) ROW(r3, 6, 7) ROW_BY_LIMITS(r4, 8, 9) ROW(r5, 10, 11)
      "add $64, %[w]\n\t"
      "inc %[k]\n\t"
      "cmp %[length], %[k]\n\t"
      "jl 1b\n\t"
      TURN(3) TURN(9) ALL(STORE)
      : [w] "+r"(w), [k] "+r"(k)
      : [r0] "r"(rows[0]), [r1] "r"(rows[1]), [r2] "r"(rows[2]), [r3] "r"(rows[3]), [r4] "r"(rows[4]), [r5] "r"(rows[5]),
        [length] "r"(tile->length), [sums] "r"(sums), [constants] "r"(constants)
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15");
}

INLINE __m256i broadcast_pair(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm256_set1_epi32(pair);
}

/* Registers narrower than 16 bits, or symmetric: the same with minima and maxima, two rows at a time. */
static void narrower(const hwb_limited_tile *tile, int64_t row, int16_t *sums) {
  __m256i low = _mm256_set1_epi16((int16_t)tile->low), high = _mm256_set1_epi16((int16_t)tile->high), s[4];
  __m256i *at = (__m256i *)(void *)(sums + row * HWB_SKEW_COLUMNS);
  for (int i = 0; i < 4; i++) s[i] = _mm256_loadu_si256(at + i);
  const int16_t *w = tile->panel;
  for (int64_t t = 0; t < tile->length; t++, w += HWB_SKEW_COLUMNS)
    for (int i = 0; i < 4; i++) {
      __m256i a = broadcast_pair(tile->rows[row + i / 2] + t);
      __m256i p = _mm256_mullo_epi16(a, _mm256_load_si256((const __m256i *)(w + 16 * (i % 2))));
      s[i] = _mm256_max_epi16(_mm256_min_epi16(_mm256_adds_epi16(s[i], p), high), low);
    }
  for (int i = 0; i < 4; i++) _mm256_storeu_si256(at + i, s[i]);
}

void hwb_ordered_sat16__avx2(const hwb_limited_tile *tile, int16_t *sums) {
  if (tile->low == INT16_MIN && tile->high == INT16_MAX) {
    saturating(tile, sums);
    return;
  }
  for (int64_t row = 0; row < tile->count; row += 2) narrower(tile, row, sums);
}
