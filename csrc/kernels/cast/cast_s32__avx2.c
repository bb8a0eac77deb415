/* AVX2 casts of 32-bit accumulators, 16 channels at a time with their constants held while the rows pass; the scalar
   definition for what has no vector form (enum hwb_vector; numerics/kernels/cast.py decides). */
#include <hwblocks/cast_forms.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* The constants of 8 channels, and what the rows counted; two of them make a row of 16. */
typedef struct {
  __m256i bias, left, factor, factor_odd, right;
  __m256i even, odd, even_below, odd_below; /* addends of even and odd channels */
  __m256 scale32;
  __m256d scale64[2];
  __m256i zero, clamp_low, clamp_high, count_low, count_high;
  __m256i saturated, outside, lowest, highest;
  __m128i cut;
  __m256i live;
} state;

INLINE __m256i load(const void *x) { return _mm256_loadu_si256((const __m256i *)x); }
INLINE __m256i odd_down(__m256i v) { return _mm256_srli_epi64(v, 32); }

/* Every second of eight 64-bit addends: the even ones, or the odd ones. */
INLINE __m256i picked(const int64_t *addend, int odd) {
  __m256i a = load(addend), b = load(addend + 4);
  __m256i mixed = odd ? _mm256_unpackhi_epi64(a, b) : _mm256_unpacklo_epi64(a, b);
  return _mm256_permute4x64_epi64(mixed, 0xD8);
}

INLINE void load_affine(const hwb_cast *c, int64_t ch, int by_sign, state *s) {
  s->left = c->left ? load(c->left + ch) : _mm256_setzero_si256();
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
  if (form == HWB_REAL32) s.scale32 = _mm256_loadu_ps(c->scale32 + ch);
  if (form == HWB_REAL64) {
    s.scale64[0] = _mm256_loadu_pd(c->scale64 + ch);
    s.scale64[1] = _mm256_loadu_pd(c->scale64 + ch + 4);
  }
  s.zero = _mm256_set1_epi32((int32_t)n->zero_point);
  s.clamp_low = _mm256_set1_epi32((int32_t)n->clamp_lo);
  s.clamp_high = _mm256_set1_epi32((int32_t)n->clamp_hi);
  s.count_low = _mm256_set1_epi32(n->counts_low ? (int32_t)n->lo : INT32_MIN);
  s.count_high = _mm256_set1_epi32(n->counts_high ? (int32_t)n->hi : INT32_MAX);
  s.saturated = s.outside = _mm256_setzero_si256();
  s.lowest = _mm256_set1_epi32(INT32_MAX);
  s.highest = _mm256_set1_epi32(INT32_MIN);
  s.cut = _mm_cvtsi32_si128((int)(32 - hwb_min(32, n->accumulator_bits)));
  s.live = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)hwb_min(width, 8)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  return s;
}

INLINE __m256i by_sign_of(__m256i product, __m256i above, __m256i below) {
  __m256d chosen = _mm256_blendv_pd(_mm256_castsi256_pd(above), _mm256_castsi256_pd(below), _mm256_castsi256_pd(product));
  return _mm256_add_epi64(product, _mm256_castpd_si256(chosen));
}

/* The high words of v · factor + addend, then the rest of the shift. */
INLINE __m256i affine(const hwb_cast *c, const state *s, __m256i v, int by_sign) {
  if (c->left) v = _mm256_sllv_epi32(v, s->left);
  __m256i even = _mm256_mul_epi32(v, s->factor), odd = _mm256_mul_epi32(odd_down(v), s->factor_odd);
  even = by_sign ? by_sign_of(even, s->even, s->even_below) : _mm256_add_epi64(even, s->even);
  odd = by_sign ? by_sign_of(odd, s->odd, s->odd_below) : _mm256_add_epi64(odd, s->odd);
  return _mm256_srav_epi32(_mm256_blend_epi32(odd_down(even), odd, 0xAA), s->right);
}

INLINE __m256i real32(const hwb_cast *c, const state *s, __m256i v) {
  __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(v), s->scale32), edge = _mm256_set1_ps(1073741824.0f);
  if (c->n.zero_inside) product = _mm256_add_ps(product, _mm256_cvtepi32_ps(s->zero));
  product = _mm256_max_ps(_mm256_min_ps(product, edge), _mm256_sub_ps(_mm256_setzero_ps(), edge));
  v = _mm256_cvtps_epi32(product);
  return c->n.zero_inside ? v : _mm256_add_epi32(v, s->zero);
}

/* Four doubles to the nearest integers: ties to even, or away from zero. */
INLINE __m128i nearest4(__m256d v, int away) {
  __m256d edge = _mm256_set1_pd(1073741824.0); /* far outside every output, inside int32 */
  v = _mm256_max_pd(_mm256_min_pd(v, edge), _mm256_sub_pd(_mm256_setzero_pd(), edge));
  if (!away) return _mm256_cvtpd_epi32(v);
  __m256d sign = _mm256_set1_pd(-0.0), whole = _mm256_round_pd(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
  __m256d rest = _mm256_andnot_pd(sign, _mm256_sub_pd(v, whole)); /* exact */
  __m256d step = _mm256_or_pd(_mm256_and_pd(v, sign), _mm256_set1_pd(1.0));
  __m256d up = _mm256_and_pd(_mm256_cmp_pd(rest, _mm256_set1_pd(0.5), _CMP_GE_OQ), step);
  return _mm256_cvtpd_epi32(_mm256_add_pd(whole, up));
}

INLINE __m256i real64(const hwb_cast *c, const state *s, __m256i v) {
  int away = c->n.rounding == HWB_HALF_AWAY;
  __m128i low = nearest4(_mm256_mul_pd(_mm256_cvtepi32_pd(_mm256_castsi256_si128(v)), s->scale64[0]), away);
  __m128i high = nearest4(_mm256_mul_pd(_mm256_cvtepi32_pd(_mm256_extracti128_si256(v, 1)), s->scale64[1]), away);
  return _mm256_add_epi32(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), s->zero);
}

/* Counters of lanes, up by one where hits are all ones; lanes beyond the width are dropped at the end. */
INLINE __m256i counted(__m256i counter, __m256i hits) { return _mm256_sub_epi32(counter, hits); }

/* The accumulator as its register holds it. */
INLINE __m256i held(const hwb_cast *c, state *s, __m256i v) {
  if (c->n.accumulator_bits >= 32) return v;
  __m256i kept = _mm256_sra_epi32(_mm256_sll_epi32(v, s->cut), s->cut);
  __m256i lost = _mm256_xor_si256(_mm256_cmpeq_epi32(kept, v), _mm256_set1_epi32(-1));
  s->outside = counted(s->outside, lost);
  return kept;
}

INLINE void note_range(state *s, __m256i v) {
  s->lowest = _mm256_min_epi32(s->lowest, _mm256_blendv_epi8(_mm256_set1_epi32(INT32_MAX), v, s->live));
  s->highest = _mm256_max_epi32(s->highest, _mm256_blendv_epi8(_mm256_set1_epi32(INT32_MIN), v, s->live));
}

/* Sixteen codes of more than 8 bits to y; of fewer no more are written. */
INLINE void store(__m256i low, __m256i high, int64_t dtype, int64_t width, char *y) {
  char whole[64];
  if (dtype == HWB_S32) {
    _mm256_storeu_si256((__m256i *)(void *)whole, low);
    _mm256_storeu_si256((__m256i *)(void *)(whole + 32), high);
    memcpy(y, whole, (size_t)width * 4);
    return;
  }
  __m256i words = dtype == HWB_U16 ? _mm256_packus_epi32(low, high) : _mm256_packs_epi32(low, high);
  _mm256_storeu_si256((__m256i *)(void *)whole, _mm256_permute4x64_epi64(words, 0xD8));
  memcpy(y, whole, (size_t)width * 2);
}

INLINE void store_bytes(__m128i bytes, int64_t width, char *y) {
  char whole[16];
  if (width >= 16) {
    _mm_storeu_si128((__m128i *)(void *)y, bytes);
    return;
  }
  _mm_storeu_si128((__m128i *)(void *)whole, bytes);
  memcpy(y, whole, (size_t)width);
}

/* Eight accumulators to rounded values in 32-bit lanes, not yet limited. */
INLINE __m256i cast8(const hwb_cast *c, state *s, const int32_t *sums, const int form, const int level) {
  __m256i v = held(c, s, _mm256_add_epi32(load(sums), s->bias));
  if (level >= 2) note_range(s, v);
  if (form == HWB_STORED) return v;
  if (form == HWB_REAL32) return real32(c, s, v);
  if (form == HWB_REAL64) return real64(c, s, v);
  return affine(c, s, v, form == HWB_AFFINE_BY_SIGN);
}

/* Values beyond the counted limits counted, then all limited. */
INLINE __m256i limited(const hwb_cast *c, state *s, __m256i v, const int level) {
  if (level >= 1) {
    s->saturated = counted(s->saturated, _mm256_cmpgt_epi32(v, s->count_high));
    if (c->n.counts_low) s->saturated = counted(s->saturated, _mm256_cmpgt_epi32(s->count_low, v));
  }
  return _mm256_max_epi32(_mm256_min_epi32(v, s->clamp_high), s->clamp_low);
}

/* The limits of bytes in 16-bit lanes, which hold 16 channels at once, and their counter. */
typedef struct {
  __m256i clamp_low, clamp_high, count_low, count_high, saturated;
} words_state;

INLINE words_state load_words(const hwb_cast_numbers *n) {
  words_state s;
  s.clamp_low = _mm256_set1_epi16((int16_t)n->clamp_lo);
  s.clamp_high = _mm256_set1_epi16((int16_t)n->clamp_hi);
  s.count_low = _mm256_set1_epi16((int16_t)(n->counts_low ? n->lo : INT16_MIN));
  s.count_high = _mm256_set1_epi16((int16_t)(n->counts_high ? n->hi : INT16_MAX));
  s.saturated = _mm256_setzero_si256();
  return s;
}

/* Sixteen values as bytes: what leaves 16 bits stays beyond every limit of bytes. */
INLINE __m128i to_bytes(const hwb_cast *c, words_state *s, __m256i low, __m256i high, const int level) {
  __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xD8);
  if (level >= 1) {
    s->saturated = _mm256_sub_epi16(s->saturated, _mm256_cmpgt_epi16(words, s->count_high));
    if (c->n.counts_low) s->saturated = _mm256_sub_epi16(s->saturated, _mm256_cmpgt_epi16(s->count_low, words));
  }
  words = _mm256_max_epi16(_mm256_min_epi16(words, s->clamp_high), s->clamp_low);
  __m128i first = _mm256_castsi256_si128(words), second = _mm256_extracti128_si256(words, 1);
  return c->n.out_dtype == HWB_S8 ? _mm_packs_epi16(first, second) : _mm_packus_epi16(first, second);
}

static int64_t total(__m256i v, __m256i live) {
  int32_t lane[8];
  _mm256_storeu_si256((__m256i *)(void *)lane, _mm256_and_si256(v, live));
  int64_t sum = 0;
  for (int j = 0; j < 8; j++) sum += lane[j];
  return sum;
}

static void note(const state *s, hwb_stats *stats) {
  int32_t low[8], high[8];
  stats->saturated += total(s->saturated, s->live);
  stats->outside += total(s->outside, s->live);
  if (stats->level < 2) return;
  _mm256_storeu_si256((__m256i *)(void *)low, s->lowest);
  _mm256_storeu_si256((__m256i *)(void *)high, s->highest);
  for (int j = 0; j < 8; j++) {
    stats->lowest = hwb_min(stats->lowest, low[j]);
    stats->highest = hwb_max(stats->highest, high[j]);
  }
}

/* Hits of the first `width` of 16 lanes. */
static int64_t words_counted(const words_state *s, int64_t width) {
  int16_t lane[16];
  int64_t sum = 0;
  _mm256_storeu_si256((__m256i *)(void *)lane, s->saturated);
  for (int64_t j = 0; j < width; j++) sum += lane[j];
  return sum;
}

enum { MOST_ROWS = 1 << 14 }; /* whose hits a 16-bit counter holds */

INLINE void cast_columns(const hwb_cast *c, const hwb_block *b, int64_t at, hwb_stats *stats, const int form,
                         const int level) {
  const hwb_cast k = *c; /* stores of bytes might change what c and b point to: copies stay in registers */
  const int64_t rows = b->rows, step = b->step, y_step = b->y_step, width = hwb_min(16, b->width - at);
  const int bytes = k.n.out_dtype <= HWB_U8 && form != HWB_STORED && rows <= MOST_ROWS;
  const int32_t *sums = (const int32_t *)b->sums + at;
  char *y = b->y + at * (int64_t)hwb_size_of(k.n.out_dtype);
  state low = load_state(&k, b->channel + at, width, form), high = load_state(&k, b->channel + at + 8, width - 8, form);
  words_state words = load_words(&k.n);
  for (int64_t i = 0; i < rows; i++, sums += step, y += y_step) {
    __m256i first = cast8(&k, &low, sums, form, level), second = cast8(&k, &high, sums + 8, form, level);
    if (bytes) store_bytes(to_bytes(&k, &words, first, second, level), width, y);
    else if (form == HWB_STORED) store(first, second, k.n.out_dtype, width, y);
    else store(limited(&k, &low, first, level), limited(&k, &high, second, level), k.n.out_dtype, width, y);
  }
  if (level < 1 && k.n.accumulator_bits >= 32) return;
  stats->saturated += words_counted(&words, width);
  note(&low, stats);
  note(&high, stats);
}

INLINE void cast_form(const hwb_cast *c, const hwb_block *b, hwb_stats *stats, const int form) {
  for (int64_t at = 0; at < b->width; at += 16) {
    if (stats->level >= 2) cast_columns(c, b, at, stats, form, 2);
    else if (stats->level == 1) cast_columns(c, b, at, stats, form, 1);
    else cast_columns(c, b, at, stats, form, 0);
  }
}

void hwb_cast_by_form__avx2(const hwb_cast *c, const hwb_block *b, hwb_stats *stats) {
  HWB_CAST_BY_FORM(cast_form, c, b, stats)
}

HWB_DEFINE_CAST(avx2)
