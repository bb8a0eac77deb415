/* AVX-512 casts of 64-bit accumulators in the wide form, 8 channels at a time; the scalar definition for the rest. */
#include <hwblocks/kernels.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* The constants of 8 channels, and what the rows counted. */
typedef struct {
  __m512i bias, factor, right, above, below, clamp_low, clamp_high, count_low, count_high;
  __m512i lowest, highest;
  int64_t saturated, outside;
  __m128i cut;
  __mmask8 live;
} state;

INLINE state load_state(const hwb_cast *c, int64_t ch, int64_t width) {
  const hwb_cast_numbers *n = &c->n;
  state s;
  s.bias = _mm512_loadu_si512(c->bias + ch);
  s.factor = _mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)(const void *)(c->factor + ch)));
  s.right = _mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)(const void *)(c->right + ch)));
  s.above = _mm512_loadu_si512(c->addend + ch);
  s.below = _mm512_loadu_si512(c->addend_below + ch);
  s.clamp_low = _mm512_set1_epi64(n->clamp_lo);
  s.clamp_high = _mm512_set1_epi64(n->clamp_hi);
  s.count_low = _mm512_set1_epi64(n->counts_low ? n->lo : INT64_MIN);
  s.count_high = _mm512_set1_epi64(n->counts_high ? n->hi : INT64_MAX);
  s.lowest = _mm512_set1_epi64(INT64_MAX);
  s.highest = _mm512_set1_epi64(INT64_MIN);
  s.saturated = s.outside = 0;
  s.cut = _mm_cvtsi64_si128(64 - n->accumulator_bits);
  s.live = (__mmask8)(width >= 8 ? 0xFF : (1 << width) - 1);
  return s;
}

INLINE void store(__m512i v, const state *s, int64_t dtype, char *y) {
  if (dtype <= HWB_U8) _mm512_mask_cvtepi64_storeu_epi8(y, s->live, v);
  else if (dtype <= HWB_U16) _mm512_mask_cvtepi64_storeu_epi16(y, s->live, v);
  else _mm512_mask_cvtepi64_storeu_epi32(y, s->live, v);
}

INLINE void cast_row(const hwb_cast *c, state *s, const int64_t *sums, char *y, const int level) {
  __m512i v = _mm512_add_epi64(_mm512_maskz_loadu_epi64(s->live, sums), s->bias);
  if (c->n.accumulator_bits < 64) {
    __m512i kept = _mm512_sra_epi64(_mm512_sll_epi64(v, s->cut), s->cut);
    s->outside += __builtin_popcount(_mm512_mask_cmpneq_epi64_mask(s->live, kept, v));
    v = kept;
  }
  if (level >= 2) {
    s->lowest = _mm512_mask_min_epi64(s->lowest, s->live, s->lowest, v);
    s->highest = _mm512_mask_max_epi64(s->highest, s->live, s->highest, v);
  }
  __m512i addend = _mm512_mask_mov_epi64(s->above, _mm512_movepi64_mask(v), s->below);
  v = _mm512_srav_epi64(_mm512_add_epi64(_mm512_mullo_epi64(v, s->factor), addend), s->right);
  if (level >= 1) {
    __mmask8 below = _mm512_mask_cmplt_epi64_mask(s->live, v, s->count_low);
    __mmask8 above = _mm512_mask_cmpgt_epi64_mask(s->live, v, s->count_high);
    s->saturated += __builtin_popcount((unsigned)(below | above));
  }
  store(_mm512_max_epi64(_mm512_min_epi64(v, s->clamp_high), s->clamp_low), s, c->n.out_dtype, y);
}

INLINE void cast_columns(const hwb_cast *c, const hwb_block *b, int64_t at, hwb_stats *stats, const int level) {
  const int64_t *sums = (const int64_t *)b->sums + at;
  char *y = b->y + at * (int64_t)hwb_size_of(c->n.out_dtype);
  state s = load_state(c, b->channel + at, b->width - at);
  for (int64_t i = 0; i < b->rows; i++) cast_row(c, &s, sums + i * b->step, y + i * b->y_step, level);
  stats->saturated += s.saturated;
  stats->outside += s.outside;
  if (level < 2) return;
  stats->lowest = hwb_min(stats->lowest, _mm512_reduce_min_epi64(s.lowest));
  stats->highest = hwb_max(stats->highest, _mm512_reduce_max_epi64(s.highest));
}

void hwb_cast_s64__avx512(const hwb_cast *c, const hwb_block *b, hwb_stats *stats) {
  if (c->n.vector != HWB_WIDE) {
    hwb_cast_s64__ref(c, b, stats);
    return;
  }
  for (int64_t at = 0; at < b->width; at += 8) {
    if (stats->level >= 2) cast_columns(c, b, at, stats, 2);
    else if (stats->level == 1) cast_columns(c, b, at, stats, 1);
    else cast_columns(c, b, at, stats, 0);
  }
}
