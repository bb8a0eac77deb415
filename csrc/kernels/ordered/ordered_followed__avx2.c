/* AVX2 sums whose every addition is followed: 16 columns of one row, counts in masks that are 0 or −1. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef struct {
  __m256i held, outside, before, lowest, highest, never; /* never: −1 while no addition was outside */
} eight;

INLINE __m256i load(const int32_t *x) { return _mm256_loadu_si256((const __m256i *)(const void *)x); }
INLINE void put(int32_t *y, __m256i v) { _mm256_storeu_si256((__m256i *)(void *)y, v); }

INLINE eight begin(const hwb_followed_sums *s, int64_t j) {
  __m256i outside = load(s->outside + j);
  eight e = {load(s->held + j),   outside, load(s->before + j), load(s->lowest + j), load(s->highest + j),
             _mm256_cmpeq_epi32(outside, _mm256_setzero_si256())};
  return e;
}

INLINE void end(const eight *e, hwb_followed_sums *s, int64_t j) {
  put(s->held + j, e->held);
  put(s->outside + j, e->outside);
  put(s->before + j, e->before);
  put(s->lowest + j, e->lowest);
  put(s->highest + j, e->highest);
}

INLINE void add(eight *e, __m256i x, __m256i w, __m256i low, __m256i high) {
  __m256i total = _mm256_add_epi32(e->held, _mm256_madd_epi16(x, w));
  e->lowest = _mm256_min_epi32(e->lowest, total);
  e->highest = _mm256_max_epi32(e->highest, total);
  e->held = _mm256_max_epi32(low, _mm256_min_epi32(high, total));
  __m256i inside = _mm256_cmpeq_epi32(e->held, total);
  e->never = _mm256_and_si256(e->never, inside);
  e->outside = _mm256_add_epi32(e->outside, _mm256_add_epi32(inside, _mm256_set1_epi32(1)));
  e->before = _mm256_sub_epi32(e->before, e->never);
}

INLINE __m256i broadcast_pair(const int16_t *x) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm256_set1_epi32(pair);
}

/* The weights of one half of each pair: the first (16 zero bits above) or the second. */
INLINE __m256i half_of(const int16_t *panel, int second) {
  __m256i both = _mm256_loadu_si256((const __m256i *)(const void *)panel);
  return _mm256_and_si256(both, _mm256_set1_epi32(second ? (int32_t)0xffff0000u : 0xffff));
}

void hwb_ordered_followed_s32__avx2(const int16_t *x, const int16_t *panel, int64_t k, int32_t low, int32_t high,
                                    hwb_followed_sums *sums) {
  __m256i least = _mm256_set1_epi32(low), most = _mm256_set1_epi32(high);
  eight a = begin(sums, 0), b = begin(sums, 8);
  for (int64_t i = 0; i < k; i += 2, panel += 2 * HWB_TILE_COLUMNS) {
    __m256i pair = broadcast_pair(x + i);
    add(&a, pair, half_of(panel, 0), least, most);
    add(&b, pair, half_of(panel + 16, 0), least, most);
    if (i + 1 == k) break;
    add(&a, pair, half_of(panel, 1), least, most);
    add(&b, pair, half_of(panel + 16, 1), least, most);
  }
  end(&a, sums, 0);
  end(&b, sums, 8);
}
