/* AVX-512 pairs of 8-bit codes: 64 at a time, in the words of pairs.h. */
#include <hwblocks/pairs.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

typedef struct {
  __m512i high, low, add_high, add_low;
  __m512i count_low, count_span; /* results of this many above the low limit are not counted */
  __m512i a_flip, b_flip, centre, clamp_low, clamp_high;
  __m128i shift;
  int64_t saturated;
} state;

INLINE state load_state(const hwb_pairs_numbers *p) {
  hwb_pairs_words w = hwb_pairs_in_words(p);
  state s;
  s.high = _mm512_set1_epi32(w.high), s.low = _mm512_set1_epi32(w.low);
  s.add_high = _mm512_set1_epi32(w.add_high), s.add_low = _mm512_set1_epi32(w.add_low);
  s.count_low = _mm512_set1_epi16((int16_t)w.count_low);
  s.count_span = _mm512_set1_epi16((int16_t)(w.count_high - w.count_low));
  s.a_flip = _mm512_set1_epi8(p->a_dtype == HWB_S8 ? INT8_MIN : 0);
  s.b_flip = _mm512_set1_epi8(p->b_dtype == HWB_S8 ? INT8_MIN : 0);
  s.centre = _mm512_set1_epi8((char)w.centre);
  s.clamp_low = _mm512_set1_epi8((char)(p->clamp_lo - w.centre));
  s.clamp_high = _mm512_set1_epi8((char)(p->clamp_hi - w.centre));
  s.shift = _mm_cvtsi32_si128(w.shift);
  s.saturated = 0;
  return s;
}

/* 16 pairs, each code in a word. */
INLINE __m512i results(const state *s, __m512i pairs) {
  __m512i high = _mm512_add_epi32(_mm512_madd_epi16(pairs, s->high), s->add_high);
  __m512i low = _mm512_srai_epi32(_mm512_add_epi32(_mm512_madd_epi16(pairs, s->low), s->add_low), 16);
  return _mm512_sra_epi32(_mm512_add_epi32(high, low), s->shift);
}

/* 32 pairs to words; `live` are those that exist. What leaves 16 bits stays beyond every limit. */
INLINE __m512i words(state *s, __m512i pairs, __mmask32 live) {
  const __m512i zero = _mm512_setzero_si512();
  __m512i first = results(s, _mm512_unpacklo_epi8(pairs, zero)), second = results(s, _mm512_unpackhi_epi8(pairs, zero));
  __m512i v = _mm512_packs_epi32(first, second);
  __mmask32 hits = _mm512_cmpgt_epu16_mask(_mm512_sub_epi16(v, s->count_low), s->count_span);
  s->saturated += __builtin_popcount(hits & live);
  return v;
}

/* 64 pairs to codes. In every lane of 16 the first eight lie in one vector of words, the others in another. */
INLINE __m512i codes(state *s, __m512i a, __m512i b, __mmask32 first, __mmask32 second) {
  a = _mm512_xor_si512(a, s->a_flip);
  b = _mm512_xor_si512(b, s->b_flip);
  __m512i low = words(s, _mm512_unpacklo_epi8(a, b), first), high = words(s, _mm512_unpackhi_epi8(a, b), second);
  __m512i v = _mm512_packs_epi16(low, high);
  return _mm512_xor_si512(_mm512_max_epi8(_mm512_min_epi8(v, s->clamp_high), s->clamp_low), s->centre);
}

/* Words of the first `left` elements, from number `from` of each lane on. */
static __mmask32 live_words(int64_t left, int64_t from) {
  __mmask32 live = 0;
  for (int64_t lane = 0; lane < 4; lane++) {
    int64_t count = hwb_max(0, hwb_min(8, left - 16 * lane - from));
    live |= ((1u << count) - 1) << (8 * lane);
  }
  return live;
}

void hwb_pairs__avx512(const hwb_pairs_numbers *p, const void *a, const void *b, int64_t n, void *y, hwb_stats *stats) {
  state s = load_state(p);
  const char *x = a, *z = b;
  char *out = y;
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    __m512i v = codes(&s, _mm512_loadu_si512(x + i), _mm512_loadu_si512(z + i), 0xFFFFFFFF, 0xFFFFFFFF);
    _mm512_storeu_si512(out + i, v);
  }
  if (i < n) {
    __mmask64 live = ((__mmask64)1 << (n - i)) - 1;
    __m512i va = _mm512_maskz_loadu_epi8(live, x + i), vb = _mm512_maskz_loadu_epi8(live, z + i);
    _mm512_mask_storeu_epi8(out + i, live, codes(&s, va, vb, live_words(n - i, 0), live_words(n - i, 8)));
  }
  stats->saturated += s.saturated;
}
