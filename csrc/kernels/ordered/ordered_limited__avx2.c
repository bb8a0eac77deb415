/* AVX2 tiles that limit a 32-bit sum after every addition, and the bounds that tell where this is not needed. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i broadcast_pair(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm256_set1_epi32(pair);
}

INLINE __m256i limit(__m256i v, __m256i low, __m256i high) {
  return _mm256_max_epi32(_mm256_min_epi32(v, high), low);
}

INLINE __m256i panel_part(const int16_t *w, int part) { return _mm256_load_si256((const __m256i *)(w + 16 * part)); }

enum { EXPANDED = 4 * HWB_BOUND_BLOCK / 2 + 4 }; /* int16 of a row of 32 inputs, a zero after each */

#define LOAD(at, sum) "vmovdqu " #at "(%[sums]), %%ymm" #sum "\n\t"
#define STORE(at, sum) "vmovdqu %%ymm" #sum ", " #at "(%[sums])\n\t"
#define LIMITED(product, sum) \
  "vpaddd %%ymm" #product ", %%ymm" #sum ", %%ymm" #sum "\n\t" \
  "vpminsd %%ymm12, %%ymm" #sum ", %%ymm" #sum "\n\t" \
  "vpmaxsd %%ymm13, %%ymm" #sum ", %%ymm" #sum "\n\t"
#define ROW(at, first, second) \
  "vpbroadcastd " #at "(%[x]), %%ymm14\n\t" \
  "vpmaddwd (%[w]), %%ymm14, %%ymm15\n\t" \
  "vpmaddwd 32(%[w]), %%ymm14, %%ymm14\n\t" LIMITED(15, first) LIMITED(14, second)
#define ALL(move) \
  move(0, 0) move(32, 1) move(64, 2) move(96, 3) move(128, 4) move(160, 5) \
  move(192, 6) move(224, 7) move(256, 8) move(288, 9) move(320, 10) move(352, 11)

/* Six rows of up to 16 pairs, one product at a time: of (x, 0, x', 0) the first 32 bits multiply the even weights alone,
   and those 16 bits further on the odd ones. Rows are EXPANDED apart. In assembly, because twelve sums in registers hide
   the chain of addition, minimum and maximum, and the compiler spills them. */
static void six_rows(const int16_t *x, const int16_t *w, int64_t pairs, int32_t *sums, int64_t low, int64_t high) {
  _Static_assert(EXPANDED * sizeof(int16_t) == 136, "the offsets of rows below");
  __asm__ volatile(
      "vmovd %k[high], %%xmm12\n\t"
      "vpbroadcastd %%xmm12, %%ymm12\n\t"
      "vmovd %k[low], %%xmm13\n\t"
      "vpbroadcastd %%xmm13, %%ymm13\n\t"
      ALL(LOAD)
      ".p2align 5\n"
      "1:\n\t"
      ROW(0, 0, 1) ROW(136, 2, 3) ROW(272, 4, 5) ROW(408, 6, 7) ROW(544, 8, 9) ROW(680, 10, 11)
      ROW(2, 0, 1) ROW(138, 2, 3) ROW(274, 4, 5) ROW(410, 6, 7) ROW(546, 8, 9) ROW(682, 10, 11)
      "add $64, %[w]\n\t"
      "add $8, %[x]\n\t"
      "dec %[pairs]\n\t"
      "jnz 1b\n\t"
      ALL(STORE)
      : [w] "+r"(w), [x] "+r"(x), [pairs] "+r"(pairs)
      : [sums] "r"(sums), [low] "r"(low), [high] "r"(high)
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15");
}

/* 32 inputs, a zero after each. */
INLINE void expand(const int16_t *x, int16_t *out) {
  for (int i = 0; i < 4; i++) {
    __m128i eight = _mm_loadu_si128((const __m128i *)(const void *)(x + 8 * i));
    _mm256_storeu_si256((__m256i *)(void *)(out + 16 * i), _mm256_cvtepu16_epi32(eight));
  }
}

static void by_products(const hwb_limited_tile *tile, int32_t *sums) {
  for (int64_t start = 0; start < tile->length; start += HWB_BOUND_BLOCK / 2) {
    int64_t pairs = hwb_min(HWB_BOUND_BLOCK / 2, tile->length - start);
    int16_t x[HWB_ORDERED_ROWS][EXPANDED];
    for (int64_t i = 0; i < HWB_ORDERED_ROWS; i++) expand(tile->rows[i] + 2 * start, x[i]);
    six_rows(x[0], tile->panel + start * 2 * HWB_TILE_COLUMNS, pairs, sums, tile->low, tile->high);
  }
}

/* `group` pairs at a time, two rows. */
static void by_groups(const hwb_limited_tile *tile, int64_t row, __m256i low, __m256i high, __m256i *sums) {
  __m256i s[4];
  for (int i = 0; i < 4; i++) s[i] = _mm256_loadu_si256(sums + i);
  const int16_t *w = tile->panel, *x0 = tile->rows[row], *x1 = tile->rows[row + 1];
  for (int64_t k = 0; k < tile->length;) {
    __m256i exact[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int64_t end = hwb_min(k + tile->group, tile->length); k < end; k++, w += 32) {
      __m256i a[2] = {broadcast_pair(x0 + 2 * k), broadcast_pair(x1 + 2 * k)};
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++)
        exact[i] = _mm256_add_epi32(exact[i], _mm256_madd_epi16(a[i / 2], panel_part(w, i % 2)));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) s[i] = limit(_mm256_add_epi32(s[i], exact[i]), low, high);
  }
  for (int i = 0; i < 4; i++) _mm256_storeu_si256(sums + i, s[i]);
}

void hwb_ordered_limited_s32__avx2(const hwb_limited_tile *tile, int32_t *sums) {
  __m256i low = _mm256_set1_epi32((int32_t)tile->low), high = _mm256_set1_epi32((int32_t)tile->high);
  if (!tile->group) {
    by_products(tile, sums);
    return;
  }
  for (int64_t row = 0; row < tile->count; row += 2)
    by_groups(tile, row, low, high, (__m256i *)(void *)(sums + row * HWB_TILE_COLUMNS));
}

void hwb_ordered_extremes_s32__avx2(const int32_t *sums, int64_t count, int32_t *low, int32_t *high) {
  const __m256i *at = (const __m256i *)(const void *)sums;
  __m256i least = _mm256_loadu_si256(at), most = least;
  int32_t lanes[16];
  for (int64_t i = 1; i < 2 * count; i++) {
    least = _mm256_min_epi32(least, _mm256_loadu_si256(at + i));
    most = _mm256_max_epi32(most, _mm256_loadu_si256(at + i));
  }
  _mm256_storeu_si256((__m256i *)(void *)lanes, least);
  _mm256_storeu_si256((__m256i *)(void *)(lanes + 8), most);
  *low = lanes[0];
  *high = lanes[8];
  for (int i = 1; i < 8; i++) {
    *low = lanes[i] < *low ? lanes[i] : *low;
    *high = lanes[8 + i] > *high ? lanes[8 + i] : *high;
  }
}

void hwb_ordered_add_limited_s32__avx2(int32_t *sums, int64_t count, const int32_t *addend, int32_t low, int32_t high) {
  __m256i least = _mm256_set1_epi32(low), most = _mm256_set1_epi32(high), *at = (__m256i *)(void *)sums;
  __m256i first = _mm256_loadu_si256((const __m256i *)addend), second = _mm256_loadu_si256((const __m256i *)(addend + 8));
  for (int64_t i = 0; i < count; i++, at += 2) {
    _mm256_storeu_si256(at, limit(_mm256_add_epi32(_mm256_loadu_si256(at), first), least, most));
    _mm256_storeu_si256(at + 1, limit(_mm256_add_epi32(_mm256_loadu_si256(at + 1), second), least, most));
  }
}

INLINE int32_t sum_of(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

/* The largest of 16 unsigned values, by the one instruction that finds the smallest. */
INLINE int32_t peak_of(__m256i v) {
  __m128i half = _mm_max_epu16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  return 65535 - _mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(half, _mm_set1_epi16(-1))), 0);
}

/* 32 inputs of one row; at most 13 bits, so that sums of squares fit. */
INLINE void widen_bound(const int16_t *x, int32_t *peak, int32_t *most, int32_t *squares) {
  __m256i a = _mm256_loadu_si256((const __m256i *)x), b = _mm256_loadu_si256((const __m256i *)(x + 16));
  __m256i one = _mm256_set1_epi16(1), p = _mm256_abs_epi16(a), q = _mm256_abs_epi16(b);
  int32_t sum = sum_of(_mm256_add_epi32(_mm256_madd_epi16(p, one), _mm256_madd_epi16(q, one)));
  int32_t square = sum_of(_mm256_add_epi32(_mm256_madd_epi16(a, a), _mm256_madd_epi16(b, b)));
  int32_t largest = peak_of(_mm256_max_epu16(p, q));
  *peak = largest > *peak ? largest : *peak;
  *most = sum > *most ? sum : *most;
  *squares = square > *squares ? square : *squares;
}

void hwb_ordered_bounds__avx2(const int16_t *const *rows, int64_t count, int64_t k, hwb_block_bound *out) {
  for (int64_t start = 0; start < k; start += HWB_BOUND_BLOCK, out++) {
    int32_t peak = 0, most = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) widen_bound(rows[i] + start, &peak, &most, &squares);
    if (peak > 8191) {
      const int16_t *rest[HWB_ORDERED_ROWS];
      for (int64_t i = 0; i < count; i++) rest[i] = rows[i] + start;
      hwb_ordered_bounds__ref(rest, count, hwb_min(k - start, HWB_BOUND_BLOCK), out);
      continue;
    }
    hwb_block_bound bound = {peak, most, ceil(sqrt((double)squares))};
    *out = bound;
  }
}
