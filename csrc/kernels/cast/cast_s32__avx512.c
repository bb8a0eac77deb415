/* AVX-512 casts of 32-bit accumulators, 16 channels at a time with their constants held while the rows pass; the
   scalar definition for what has no vector form (enum hwb_vector; numerics/kernels/cast.py decides). */
#include <hwblocks/cast_forms.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* The constants of 16 channels, and what the rows counted. */
typedef struct {
  __m512i bias, left, factor, factor_odd, right;
  __m512i even, odd, even_below, odd_below; /* addends of even and odd channels */
  __m512 scale32;
  __m512d scale64[2];
  __m512i zero, clamp_low, clamp_high, count_low, count_high;
  __m512i saturated, outside, lowest, highest;
  __m128i cut;
  __mmask16 live;
} state;

INLINE __m512i load(const void *x) { return _mm512_loadu_si512(x); }
INLINE __m512i odd_down(__m512i v) { return _mm512_srli_epi64(v, 32); }

INLINE __m512i picked(const int64_t *addend, int odd) {
  __m512i first = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
  return _mm512_permutex2var_epi64(load(addend), _mm512_add_epi64(first, _mm512_set1_epi64(odd)), load(addend + 8));
}

INLINE void load_affine(const hwb_cast *c, int64_t ch, int by_sign, state *s) {
  s->left = c->left ? load(c->left + ch) : _mm512_setzero_si512();
  s->factor = load(c->factor + ch);
  s->factor_odd = odd_down(s->factor);
  s->right = load(c->right + ch);
  s->even = picked(c->addend + ch, 0);
  s->odd = picked(c->addend + ch, 1);
  if (!by_sign) return;
  s->even_below = picked(c->addend_below + ch, 0);
  s->odd_below = picked(c->addend_below + ch, 1);
}

INLINE state load_state(const hwb_cast *c, int64_t ch, int64_t width, const int form) {
  const hwb_cast_numbers *n = &c->n;
  state s;
  s.bias = load(c->bias32 + ch);
  if (form == HWB_AFFINE || form == HWB_AFFINE_BY_SIGN) load_affine(c, ch, form == HWB_AFFINE_BY_SIGN, &s);
  if (form == HWB_REAL32) s.scale32 = _mm512_loadu_ps(c->scale32 + ch);
  if (form == HWB_REAL64) {
    s.scale64[0] = _mm512_loadu_pd(c->scale64 + ch);
    s.scale64[1] = _mm512_loadu_pd(c->scale64 + ch + 8);
  }
  s.zero = _mm512_set1_epi32((int32_t)n->zero_point);
  s.clamp_low = _mm512_set1_epi32((int32_t)n->clamp_lo);
  s.clamp_high = _mm512_set1_epi32((int32_t)n->clamp_hi);
  s.count_low = _mm512_set1_epi32(n->counts_low ? (int32_t)n->lo : INT32_MIN);
  s.count_high = _mm512_set1_epi32(n->counts_high ? (int32_t)n->hi : INT32_MAX);
  s.saturated = s.outside = _mm512_setzero_si512();
  s.lowest = _mm512_set1_epi32(INT32_MAX);
  s.highest = _mm512_set1_epi32(INT32_MIN);
  s.cut = _mm_cvtsi32_si128((int)(32 - hwb_min(32, n->accumulator_bits)));
  s.live = (__mmask16)(width >= 16 ? 0xFFFF : (1 << width) - 1);
  return s;
}

/* The high words of v · factor + addend, then the rest of the shift. */
INLINE __m512i affine(const hwb_cast *c, const state *s, __m512i v, int by_sign) {
  if (c->left) v = _mm512_sllv_epi32(v, s->left);
  __m512i even = _mm512_mul_epi32(v, s->factor), odd = _mm512_mul_epi32(odd_down(v), s->factor_odd);
  __m512i add_even = s->even, add_odd = s->odd;
  if (by_sign) {
    add_even = _mm512_mask_mov_epi64(add_even, _mm512_movepi64_mask(even), s->even_below);
    add_odd = _mm512_mask_mov_epi64(add_odd, _mm512_movepi64_mask(odd), s->odd_below);
  }
  even = _mm512_add_epi64(even, add_even);
  odd = _mm512_add_epi64(odd, add_odd);
  __m512i high_words = _mm512_setr_epi32(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  return _mm512_srav_epi32(_mm512_permutex2var_epi32(even, high_words, odd), s->right);
}

INLINE __m512i real32(const hwb_cast *c, const state *s, __m512i v) {
  __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(v), s->scale32), edge = _mm512_set1_ps(1073741824.0f);
  if (c->n.zero_inside) product = _mm512_add_ps(product, _mm512_cvtepi32_ps(s->zero));
  product = _mm512_max_ps(_mm512_min_ps(product, edge), _mm512_sub_ps(_mm512_setzero_ps(), edge));
  v = _mm512_cvtps_epi32(product);
  return c->n.zero_inside ? v : _mm512_add_epi32(v, s->zero);
}

/* Eight doubles to the nearest integers: ties to even, or away from zero. */
INLINE __m256i nearest8(__m512d v, int away) {
  __m512d edge = _mm512_set1_pd(1073741824.0); /* far outside every output, inside int32 */
  v = _mm512_max_pd(_mm512_min_pd(v, edge), _mm512_sub_pd(_mm512_setzero_pd(), edge));
  if (!away) return _mm512_cvtpd_epi32(v);
  __m512d whole = _mm512_roundscale_pd(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC), rest = _mm512_sub_pd(v, whole);
  __mmask8 up = _mm512_cmp_pd_mask(_mm512_abs_pd(rest), _mm512_set1_pd(0.5), _CMP_GE_OQ);
  __m512d sign = _mm512_and_pd(v, _mm512_set1_pd(-0.0));
  return _mm512_cvtpd_epi32(_mm512_mask_add_pd(whole, up, whole, _mm512_or_pd(sign, _mm512_set1_pd(1.0))));
}

INLINE __m512i real64(const hwb_cast *c, const state *s, __m512i v) {
  int away = c->n.rounding == HWB_HALF_AWAY;
  __m256i low = nearest8(_mm512_mul_pd(_mm512_cvtepi32_pd(_mm512_castsi512_si256(v)), s->scale64[0]), away);
  __m256i high = nearest8(_mm512_mul_pd(_mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(v, 1)), s->scale64[1]), away);
  return _mm512_add_epi32(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1), s->zero);
}

/* Counters of lanes, up by one where there are hits; lanes beyond the width are dropped at the end. */
INLINE __m512i counted(__m512i counter, __mmask16 hits) {
  return _mm512_mask_sub_epi32(counter, hits, counter, _mm512_set1_epi32(-1));
}

/* The accumulator as its register holds it. */
INLINE __m512i held(const hwb_cast *c, state *s, __m512i v) {
  if (c->n.accumulator_bits >= 32) return v;
  __m512i kept = _mm512_sra_epi32(_mm512_sll_epi32(v, s->cut), s->cut);
  s->outside = counted(s->outside, _mm512_cmpneq_epi32_mask(kept, v));
  return kept;
}

INLINE void store(__m512i v, const state *s, int64_t dtype, char *y) {
  if (dtype <= HWB_U8) {
    __m128i bytes = _mm512_cvtepi32_epi8(v);
    if (s->live == 0xFFFF) _mm_storeu_si128((__m128i *)(void *)y, bytes);
    else _mm_mask_storeu_epi8(y, s->live, bytes);
  } else if (dtype <= HWB_U16) {
    _mm256_mask_storeu_epi16(y, s->live, _mm512_cvtepi32_epi16(v));
  } else {
    _mm512_mask_storeu_epi32(y, s->live, v);
  }
}

INLINE void cast_row(const hwb_cast *c, state *s, const int32_t *sums, char *y, const int form, const int level) {
  __m512i v = held(c, s, _mm512_add_epi32(load(sums), s->bias));
  if (level >= 2) {
    s->lowest = _mm512_mask_min_epi32(s->lowest, s->live, s->lowest, v);
    s->highest = _mm512_mask_max_epi32(s->highest, s->live, s->highest, v);
  }
  if (form == HWB_REAL32) v = real32(c, s, v);
  else if (form == HWB_REAL64) v = real64(c, s, v);
  else if (form != HWB_STORED) v = affine(c, s, v, form == HWB_AFFINE_BY_SIGN);
  if (form != HWB_STORED) {
    if (level >= 1) {
      s->saturated = counted(s->saturated, _mm512_cmpgt_epi32_mask(v, s->count_high));
      if (c->n.counts_low) s->saturated = counted(s->saturated, _mm512_cmplt_epi32_mask(v, s->count_low));
    }
    v = _mm512_max_epi32(_mm512_min_epi32(v, s->clamp_high), s->clamp_low);
  }
  store(v, s, c->n.out_dtype, y);
}

INLINE void note(const state *s, int narrow, hwb_stats *stats) {
  stats->saturated += _mm512_mask_reduce_add_epi32(s->live, s->saturated);
  if (narrow) stats->outside += _mm512_mask_reduce_add_epi32(s->live, s->outside);
  if (stats->level < 2) return;
  stats->lowest = hwb_min(stats->lowest, _mm512_reduce_min_epi32(s->lowest));
  stats->highest = hwb_max(stats->highest, _mm512_reduce_max_epi32(s->highest));
}

INLINE void cast_columns(const hwb_cast *c, const hwb_block *b, int64_t at, hwb_stats *stats, const int form,
                         const int level) {
  const hwb_cast k = *c; /* stores of bytes might change what c and b point to: copies stay in registers */
  const int64_t rows = b->rows, step = b->step, y_step = b->y_step;
  const int32_t *sums = (const int32_t *)b->sums + at;
  char *y = b->y + at * (int64_t)hwb_size_of(k.n.out_dtype);
  state s = load_state(&k, b->channel + at, b->width - at, form);
  for (int64_t i = 0; i < rows; i++) cast_row(&k, &s, sums + i * step, y + i * y_step, form, level);
  int narrow = k.n.accumulator_bits < 32;
  if (level >= 1 || narrow) note(&s, narrow, stats);
}

INLINE void cast_form(const hwb_cast *c, const hwb_block *b, hwb_stats *stats, const int form) {
  for (int64_t at = 0; at < b->width; at += 16) {
    if (stats->level >= 2) cast_columns(c, b, at, stats, form, 2);
    else if (stats->level == 1) cast_columns(c, b, at, stats, form, 1);
    else cast_columns(c, b, at, stats, form, 0);
  }
}

void hwb_cast_by_form__avx512(const hwb_cast *c, const hwb_block *b, hwb_stats *stats) {
  HWB_CAST_BY_FORM(cast_form, c, b, stats)
}

HWB_DEFINE_CAST(avx512)
