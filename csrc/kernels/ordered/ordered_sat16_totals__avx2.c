/* AVX2 tiles that saturate to 16 bits after every product and know the exact totals too: 3 rows × 16 columns at a time.

   A total is found from two sums in 16 bits, neither of which is exact: that of the products modulo 2^16, and that of
   their upper bytes. 256 times the latter is too small by what 256 lower bytes hold, less than 2^16, which the former
   tells. Of products whose sum fits 16 bits the upper byte of the sum is taken, one for two: these sums run on ports
   that multiplications and saturated additions leave free. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
enum { PART = 3, PART_COLUMNS = 16 };
#define EACH(i) _Pragma("GCC unroll 3") for (int i = 0; i < PART; i++)

typedef struct {
  __m256i held, whole, upper; /* in the register; products modulo 2^16; upper bytes */
} column_sums;

INLINE __m256i product(const int16_t *x, __m256i w) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm256_mullo_epi16(_mm256_set1_epi32(pair), w);
}

INLINE void count(column_sums *s, __m256i v) {
  s->whole = _mm256_add_epi16(s->whole, v);
  s->upper = _mm256_add_epi16(s->upper, _mm256_srai_epi16(v, 8));
}

INLINE void add_one(column_sums *s, const int16_t *x, __m256i w) {
  __m256i p = product(x, w);
  s->held = _mm256_adds_epi16(s->held, p);
  count(s, p);
}

INLINE void add_two(column_sums *s, const int16_t *x, __m256i w0, __m256i w1, int together) {
  __m256i p = product(x, w0), q = product(x + 1, w1);
  s->held = _mm256_adds_epi16(_mm256_adds_epi16(s->held, p), q);
  if (together) {
    count(s, _mm256_add_epi16(p, q));
    return;
  }
  s->whole = _mm256_add_epi16(s->whole, _mm256_add_epi16(p, q));
  s->upper = _mm256_add_epi16(s->upper, _mm256_add_epi16(_mm256_srai_epi16(p, 8), _mm256_srai_epi16(q, 8)));
}

INLINE void all_steps(const hwb_limited_tile *tile, const int16_t *const *x, const int16_t *w, int together,
                      column_sums *s) {
  int64_t t = 0;
  for (; t + 2 <= tile->length; t += 2, w += 2 * HWB_SKEW_COLUMNS) {
    __m256i w0 = _mm256_loadu_si256((const __m256i *)w), w1 = _mm256_loadu_si256((const __m256i *)(w + HWB_SKEW_COLUMNS));
    EACH(i) add_two(&s[i], x[i] + t, w0, w1, together);
  }
  if (t == tile->length) return;
  __m256i last = _mm256_loadu_si256((const __m256i *)w);
  EACH(i) add_one(&s[i], x[i] + t, last);
}

INLINE void add_eight(__m128i upper, __m128i lower, int32_t *totals) {
  __m256i made = _mm256_add_epi32(_mm256_slli_epi32(_mm256_cvtepi16_epi32(upper), 8), _mm256_cvtepu16_epi32(lower));
  __m256i *to = (__m256i *)(void *)totals;
  _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), made));
}

/* totals[16] += 256 · upper + what the lower bytes add to it. */
INLINE void add_totals(const column_sums *s, int32_t *totals) {
  __m256i lower = _mm256_sub_epi16(s->whole, _mm256_slli_epi16(s->upper, 8));
  add_eight(_mm256_castsi256_si128(s->upper), _mm256_castsi256_si128(lower), totals);
  add_eight(_mm256_extracti128_si256(s->upper, 1), _mm256_extracti128_si256(lower, 1), totals + 8);
}

/* Rows `row` to row + 2, columns `column` to column + 15. */
static void part_of_tile(const hwb_limited_tile *tile, int64_t row, int64_t column, int16_t *sums, int32_t *totals) {
  const int16_t *x[PART];
  column_sums s[PART];
  int64_t at = row * HWB_SKEW_COLUMNS + column;
  EACH(i) {
    x[i] = tile->rows[row + i];
    s[i].held = _mm256_loadu_si256((const __m256i *)(sums + at + i * HWB_SKEW_COLUMNS));
    s[i].whole = s[i].upper = _mm256_setzero_si256();
  }
  if (tile->group) all_steps(tile, x, tile->panel + column, 1, s);
  else all_steps(tile, x, tile->panel + column, 0, s);
  EACH(i) {
    _mm256_storeu_si256((__m256i *)(void *)(sums + at + i * HWB_SKEW_COLUMNS), s[i].held);
    add_totals(&s[i], totals + at + i * HWB_SKEW_COLUMNS);
  }
}

void hwb_ordered_sat16_totals__avx2(const hwb_limited_tile *tile, int16_t *sums, int32_t *totals) {
  for (int64_t row = 0; row < tile->count; row += PART)
    for (int64_t column = 0; column < HWB_SKEW_COLUMNS; column += PART_COLUMNS)
      part_of_tile(tile, row, column, sums, totals);
}
