/* AVX-512 tiles that saturate to 16 bits after every product and know the exact totals too: 6 rows × 32 columns.

   A total is found from two sums in 16 bits, neither of which is exact: that of the products modulo 2^16, and that of
   their upper bytes. 256 times the latter is too small by what 256 lower bytes hold, less than 2^16, which the former
   tells. Of products whose sum fits 16 bits the upper byte of the sum is taken, one for two. */
#include <hwblocks/kernels.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i) _Pragma("GCC unroll 6") for (int i = 0; i < HWB_ORDERED_ROWS; i++)

typedef struct {
  __m512i held, whole, upper; /* in the register; products modulo 2^16; upper bytes */
} column_sums;

INLINE __m512i product(const int16_t *x, __m512i w) {
  int32_t pair;
  memcpy(&pair, x, sizeof pair);
  return _mm512_mullo_epi16(_mm512_set1_epi32(pair), w);
}

INLINE void count(column_sums *s, __m512i v) {
  s->whole = _mm512_add_epi16(s->whole, v);
  s->upper = _mm512_add_epi16(s->upper, _mm512_srai_epi16(v, 8));
}

INLINE void add_one(column_sums *s, const int16_t *x, __m512i w) {
  __m512i p = product(x, w);
  s->held = _mm512_adds_epi16(s->held, p);
  count(s, p);
}

INLINE void add_two(column_sums *s, const int16_t *x, __m512i w0, __m512i w1, int together) {
  __m512i p = product(x, w0), q = product(x + 1, w1);
  s->held = _mm512_adds_epi16(_mm512_adds_epi16(s->held, p), q);
  if (together) {
    count(s, _mm512_add_epi16(p, q));
    return;
  }
  s->whole = _mm512_add_epi16(s->whole, _mm512_add_epi16(p, q));
  s->upper = _mm512_add_epi16(s->upper, _mm512_add_epi16(_mm512_srai_epi16(p, 8), _mm512_srai_epi16(q, 8)));
}

INLINE void all_steps(const hwb_limited_tile *tile, int together, column_sums *s) {
  const int16_t *w = tile->panel, *x[HWB_ORDERED_ROWS];
  int64_t t = 0;
  EACH(i) x[i] = tile->rows[i];
  for (; t + 2 <= tile->length; t += 2, w += 2 * HWB_SKEW_COLUMNS) {
    __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + HWB_SKEW_COLUMNS);
    EACH(i) add_two(&s[i], x[i] + t, w0, w1, together);
  }
  if (t == tile->length) return;
  __m512i last = _mm512_loadu_si512(w);
  EACH(i) add_one(&s[i], x[i] + t, last);
}

/* totals[16] += 256 · upper + what the lower bytes add to it. */
INLINE void add_totals(__m256i whole, __m256i upper, int32_t *totals) {
  __m512i lower = _mm512_cvtepu16_epi32(_mm256_sub_epi16(whole, _mm256_slli_epi16(upper, 8)));
  __m512i made = _mm512_add_epi32(_mm512_slli_epi32(_mm512_cvtepi16_epi32(upper), 8), lower);
  _mm512_storeu_si512(totals, _mm512_add_epi32(_mm512_loadu_si512(totals), made));
}

void hwb_ordered_sat16_totals__avx512(const hwb_limited_tile *tile, int16_t *sums, int32_t *totals) {
  column_sums s[HWB_ORDERED_ROWS];
  EACH(i) {
    s[i].held = _mm512_loadu_si512(sums + i * HWB_SKEW_COLUMNS);
    s[i].whole = s[i].upper = _mm512_setzero_si512();
  }
  if (tile->group) all_steps(tile, 1, s);
  else all_steps(tile, 0, s);
  EACH(i) {
    int32_t *to = totals + i * HWB_SKEW_COLUMNS;
    _mm512_storeu_si512(sums + i * HWB_SKEW_COLUMNS, s[i].held);
    add_totals(_mm512_castsi512_si256(s[i].whole), _mm512_castsi512_si256(s[i].upper), to);
    add_totals(_mm512_extracti64x4_epi64(s[i].whole, 1), _mm512_extracti64x4_epi64(s[i].upper, 1), to + 16);
  }
}
