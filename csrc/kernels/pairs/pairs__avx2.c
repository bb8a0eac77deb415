/* AVX2 pairs of 8-bit codes: 32 at a time, in the words of pairs.h. */
#include <hwblocks/pairs.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { BLOCK = 32, MOST = BLOCK << 13 }; /* elements whose hits a 16-bit counter holds */

typedef struct {
  __m256i high, low, add_high, add_low;
  __m256i count_low, count_high, saturated;
  __m256i a_flip, b_flip, centre, clamp_low, clamp_high;
  __m128i shift;
} state;

INLINE state load_state(const hwb_pairs_numbers *p) {
  hwb_pairs_words w = hwb_pairs_in_words(p);
  state s;
  s.high = _mm256_set1_epi32(w.high), s.low = _mm256_set1_epi32(w.low);
  s.add_high = _mm256_set1_epi32(w.add_high), s.add_low = _mm256_set1_epi32(w.add_low);
  s.count_low = _mm256_set1_epi16((int16_t)w.count_low), s.count_high = _mm256_set1_epi16((int16_t)w.count_high);
  s.saturated = _mm256_setzero_si256();
  s.a_flip = _mm256_set1_epi8(p->a_dtype == HWB_S8 ? INT8_MIN : 0);
  s.b_flip = _mm256_set1_epi8(p->b_dtype == HWB_S8 ? INT8_MIN : 0);
  s.centre = _mm256_set1_epi8((char)w.centre);
  s.clamp_low = _mm256_set1_epi8((char)(p->clamp_lo - w.centre));
  s.clamp_high = _mm256_set1_epi8((char)(p->clamp_hi - w.centre));
  s.shift = _mm_cvtsi32_si128(w.shift);
  return s;
}

/* 8 pairs, each code in a word. */
INLINE __m256i results(const state *s, __m256i pairs) {
  __m256i high = _mm256_add_epi32(_mm256_madd_epi16(pairs, s->high), s->add_high);
  __m256i low = _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(pairs, s->low), s->add_low), 16);
  return _mm256_sra_epi32(_mm256_add_epi32(high, low), s->shift);
}

/* 16 pairs to words. What leaves 16 bits stays beyond every limit. */
INLINE __m256i words(const state *s, __m256i pairs) {
  const __m256i zero = _mm256_setzero_si256();
  return _mm256_packs_epi32(results(s, _mm256_unpacklo_epi8(pairs, zero)), results(s, _mm256_unpackhi_epi8(pairs, zero)));
}

/* All ones in words that leave the counted limits. */
INLINE __m256i hits(const state *s, __m256i v) {
  return _mm256_or_si256(_mm256_cmpgt_epi16(v, s->count_high), _mm256_cmpgt_epi16(s->count_low, v));
}

/* 32 pairs to codes. In both lanes of 16 the first eight lie in one vector of words, the others in another, which the
   bytes of `live` follow: all ones where an element exists. */
INLINE __m256i codes(state *s, __m256i a, __m256i b, __m256i live) {
  a = _mm256_xor_si256(a, s->a_flip);
  b = _mm256_xor_si256(b, s->b_flip);
  __m256i low = words(s, _mm256_unpacklo_epi8(a, b)), high = words(s, _mm256_unpackhi_epi8(a, b));
  __m256i low_hits = _mm256_and_si256(hits(s, low), _mm256_unpacklo_epi8(live, live));
  __m256i high_hits = _mm256_and_si256(hits(s, high), _mm256_unpackhi_epi8(live, live));
  s->saturated = _mm256_sub_epi16(_mm256_sub_epi16(s->saturated, low_hits), high_hits);
  __m256i v = _mm256_packs_epi16(low, high);
  return _mm256_xor_si256(_mm256_max_epi8(_mm256_min_epi8(v, s->clamp_high), s->clamp_low), s->centre);
}

INLINE int64_t counted(const state *s) {
  int16_t lane[16];
  int64_t sum = 0;
  _mm256_storeu_si256((__m256i *)(void *)lane, s->saturated);
  for (int j = 0; j < 16; j++) sum += lane[j];
  return sum;
}

INLINE __m256i load(const void *x) { return _mm256_loadu_si256((const __m256i *)x); }
INLINE void store(void *y, __m256i v) { _mm256_storeu_si256((__m256i *)y, v); }

/* Fewer than 32 elements, by way of copies. */
INLINE void last_codes(state *s, const char *a, const char *b, int64_t n, char *y) {
  char x[BLOCK] = {0}, z[BLOCK] = {0}, live[BLOCK] = {0}, out[BLOCK];
  memcpy(x, a, (size_t)n);
  memcpy(z, b, (size_t)n);
  memset(live, -1, (size_t)n);
  store(out, codes(s, load(x), load(z), load(live)));
  memcpy(y, out, (size_t)n);
}

void hwb_pairs__avx2(const hwb_pairs_numbers *p, const void *a, const void *b, int64_t n, void *y, hwb_stats *stats) {
  const char *x = a, *z = b;
  char *out = y;
  for (int64_t first = 0; first < n; first += MOST) {
    state s = load_state(p);
    int64_t i = first, past = hwb_min(n, first + MOST);
    for (; i + BLOCK <= past; i += BLOCK) store(out + i, codes(&s, load(x + i), load(z + i), _mm256_set1_epi8(-1)));
    if (i < past) last_codes(&s, x + i, z + i, past - i, out + i);
    stats->saturated += counted(&s);
  }
}
