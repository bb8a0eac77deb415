/* AVX2 casts of 64-bit accumulators in the wide form, 4 channels at a time; the scalar definition for the rest. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* The constants of 4 channels, and what the rows counted. */
typedef struct {
  __m256i bias, factor, right, floor, above, below, clamp_low, clamp_high, count_low, count_high;
  __m256i saturated, outside, lowest, highest, live;
  __m128i cut;
} state;

INLINE __m256i load(const int64_t *x) { return _mm256_loadu_si256((const __m256i *)(const void *)x); }
INLINE __m256i widened(const int32_t *x) { return _mm256_cvtepi32_epi64(_mm_loadu_si128((const __m128i *)(const void *)x)); }
INLINE __m256i chosen(__m256i no, __m256i yes, __m256i mask) { return _mm256_blendv_epi8(no, yes, mask); }
INLINE __m256i smaller(__m256i a, __m256i b) { return chosen(a, b, _mm256_cmpgt_epi64(a, b)); }
INLINE __m256i larger(__m256i a, __m256i b) { return chosen(b, a, _mm256_cmpgt_epi64(a, b)); }
INLINE __m256i sign_bit(void) { return _mm256_set1_epi64x(INT64_MIN); }

INLINE state load_state(const hwb_cast *c, int64_t ch, int64_t width) {
  const hwb_cast_numbers *n = &c->n;
  state s;
  s.bias = load(c->bias + ch);
  s.factor = widened(c->factor + ch);
  s.right = widened(c->right + ch);
  s.floor = _mm256_srlv_epi64(sign_bit(), s.right);
  s.above = load(c->addend + ch);
  s.below = load(c->addend_below + ch);
  s.clamp_low = _mm256_set1_epi64x(n->clamp_lo);
  s.clamp_high = _mm256_set1_epi64x(n->clamp_hi);
  s.count_low = _mm256_set1_epi64x(n->counts_low ? n->lo : INT64_MIN);
  s.count_high = _mm256_set1_epi64x(n->counts_high ? n->hi : INT64_MAX);
  s.lowest = _mm256_set1_epi64x(INT64_MAX);
  s.highest = sign_bit();
  s.saturated = s.outside = _mm256_setzero_si256();
  s.cut = _mm_cvtsi64_si128(64 - n->accumulator_bits);
  s.live = _mm256_cmpgt_epi64(_mm256_set1_epi64x(width), _mm256_set_epi64x(3, 2, 1, 0));
  return s;
}

/* v · factor modulo 2^64: the low words' product, and the high word's in the upper half. */
INLINE __m256i product(__m256i v, __m256i factor) {
  __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(v, 32), factor);
  return _mm256_add_epi64(_mm256_mul_epu32(v, factor), _mm256_slli_epi64(high, 32));
}

/* The arithmetic right shift that AVX2 lacks in 64 bits: unsigned with the sign bit flipped before, its trace after. */
INLINE __m256i shifted(__m256i v, const state *s) {
  return _mm256_sub_epi64(_mm256_srlv_epi64(_mm256_xor_si256(v, sign_bit()), s->right), s->floor);
}

/* v modulo 2^bits as two's complement, `cut` = 64 − bits: the kept bits with their sign bit flipped, and back. */
INLINE __m256i held(__m256i v, __m128i cut) {
  __m256i kept = _mm256_srl_epi64(_mm256_sll_epi64(v, cut), cut), sign = _mm256_srl_epi64(sign_bit(), cut);
  return _mm256_sub_epi64(_mm256_xor_si256(kept, sign), sign);
}

INLINE void store(__m256i v, int64_t dtype, int64_t width, char *y) {
  int64_t codes[4];
  _mm256_storeu_si256((__m256i *)(void *)codes, v);
  for (int64_t j = 0; j < width; j++) hwb_store(y, dtype, j, codes[j]);
}

INLINE void cast_row(const hwb_cast *c, state *s, const int64_t *sums, int64_t width, char *y, const int level) {
  __m256i v = _mm256_add_epi64(load(sums), s->bias);
  if (c->n.accumulator_bits < 64) {
    __m256i kept = held(v, s->cut);
    s->outside = _mm256_sub_epi64(s->outside, _mm256_andnot_si256(_mm256_cmpeq_epi64(kept, v), s->live));
    v = kept;
  }
  if (level >= 2) {
    s->lowest = smaller(s->lowest, chosen(s->lowest, v, s->live));
    s->highest = larger(s->highest, chosen(s->highest, v, s->live));
  }
  __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), v);
  v = shifted(_mm256_add_epi64(product(v, s->factor), chosen(s->above, s->below, negative)), s);
  if (level >= 1) {
    __m256i outside = _mm256_or_si256(_mm256_cmpgt_epi64(s->count_low, v), _mm256_cmpgt_epi64(v, s->count_high));
    s->saturated = _mm256_sub_epi64(s->saturated, _mm256_and_si256(outside, s->live));
  }
  store(larger(smaller(v, s->clamp_high), s->clamp_low), c->n.out_dtype, width, y);
}

static void note(const state *s, hwb_stats *stats) {
  int64_t saturated[4], outside[4], low[4], high[4];
  _mm256_storeu_si256((__m256i *)(void *)saturated, s->saturated);
  _mm256_storeu_si256((__m256i *)(void *)outside, s->outside);
  _mm256_storeu_si256((__m256i *)(void *)low, s->lowest);
  _mm256_storeu_si256((__m256i *)(void *)high, s->highest);
  for (int j = 0; j < 4; j++) {
    stats->saturated += saturated[j];
    stats->outside += outside[j];
    if (stats->level < 2) continue;
    stats->lowest = hwb_min(stats->lowest, low[j]);
    stats->highest = hwb_max(stats->highest, high[j]);
  }
}

INLINE void cast_columns(const hwb_cast *c, const hwb_block *b, int64_t at, hwb_stats *stats, const int level) {
  const int64_t *sums = (const int64_t *)b->sums + at;
  char *y = b->y + at * (int64_t)hwb_size_of(c->n.out_dtype);
  int64_t width = hwb_min(4, b->width - at);
  state s = load_state(c, b->channel + at, width);
  for (int64_t i = 0; i < b->rows; i++) cast_row(c, &s, sums + i * b->step, width, y + i * b->y_step, level);
  note(&s, stats);
}

void hwb_cast_s64__avx2(const hwb_cast *c, const hwb_block *b, hwb_stats *stats) {
  if (c->n.vector != HWB_WIDE) {
    hwb_cast_s64__ref(c, b, stats);
    return;
  }
  for (int64_t at = 0; at < b->width; at += 4) {
    if (stats->level >= 2) cast_columns(c, b, at, stats, 2);
    else if (stats->level == 1) cast_columns(c, b, at, stats, 1);
    else cast_columns(c, b, at, stats, 0);
  }
}
