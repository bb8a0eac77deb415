/* AVX2 casts by lines of floats (lines.h): 16 channels at a time, two rows packed to bytes together. */
#include <hwblocks/cast_forms.h>
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* The lines of 8 channels, and the extremes of their shifted sums. */
typedef struct {
  __m256i start, shift, lowest, highest;
  __m256 slope, offset, below;
} half;

/* The limits of codes less the centre: as words where they are counted, as bytes where they are clamped. */
typedef struct {
  __m256i count_low, count_high, saturated;
  __m256i clamp_low, clamp_high, centre;
} limits;

INLINE __m256i load(const void *x) { return _mm256_loadu_si256((const __m256i *)x); }

INLINE half load_half(const hwb_cast *c, int64_t ch) {
  half h;
  h.shift = load(c->line_shift + ch);
  h.start = _mm256_add_epi32(load(c->bias32 + ch), h.shift);
  h.slope = _mm256_loadu_ps(c->line_slope + ch);
  h.offset = _mm256_loadu_ps(c->line_offset + ch);
  h.below = _mm256_loadu_ps(c->line_below + ch);
  h.lowest = _mm256_set1_epi32(INT32_MAX);
  h.highest = _mm256_set1_epi32(INT32_MIN);
  return h;
}

INLINE limits load_limits(const hwb_cast_numbers *n) {
  int centre = n->out_dtype == HWB_U8 ? HWB_LINE_CENTRE : 0;
  limits s;
  s.count_low = _mm256_set1_epi16((int16_t)(n->counts_low ? n->lo - centre : INT16_MIN));
  s.count_high = _mm256_set1_epi16((int16_t)(n->counts_high ? n->hi - centre : INT16_MAX));
  s.saturated = _mm256_setzero_si256();
  s.clamp_low = _mm256_set1_epi8((char)(n->clamp_lo - centre));
  s.clamp_high = _mm256_set1_epi8((char)(n->clamp_hi - centre));
  s.centre = _mm256_set1_epi8((char)centre);
  return s;
}

/* 8 sums to codes, not yet limited. */
INLINE __m256i codes8(half *h, const int32_t *sums, const int lines, const int level) {
  __m256i v = _mm256_add_epi32(load(sums), h->start);
  if (level >= 2) {
    h->lowest = _mm256_min_epi32(h->lowest, v);
    h->highest = _mm256_max_epi32(h->highest, v);
  }
  __m256 offset = h->offset;
  if (lines == 2) offset = _mm256_blendv_ps(offset, h->below, _mm256_castsi256_ps(_mm256_cmpgt_epi32(h->shift, v)));
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(v), h->slope, offset));
}

/* 16 sums to codes in words: channels 0-3, 8-11, 4-7, 12-15. What leaves 16 bits stays beyond every limit. */
INLINE __m256i words16(half h[2], limits *s, const int32_t *sums, int counts_low, const int lines, const int level) {
  __m256i v = _mm256_packs_epi32(codes8(&h[0], sums, lines, level), codes8(&h[1], sums + 8, lines, level));
  if (level >= 1) {
    s->saturated = _mm256_sub_epi16(s->saturated, _mm256_cmpgt_epi16(v, s->count_high));
    if (counts_low) s->saturated = _mm256_sub_epi16(s->saturated, _mm256_cmpgt_epi16(s->count_low, v));
  }
  return v;
}

/* Two rows as bytes in the order of their channels; packing alone limits them to 8 bits. */
INLINE __m256i bytes32(const limits *s, __m256i first, __m256i second, int clamps) {
  __m256i v = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(first, second), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  if (clamps) v = _mm256_max_epi8(_mm256_min_epi8(v, s->clamp_high), s->clamp_low);
  return _mm256_xor_si256(v, s->centre);
}

INLINE void store_row(char *y, __m128i codes, int64_t width) {
  char whole[16];
  _mm_storeu_si128((__m128i *)(void *)(width >= 16 ? y : whole), codes);
  if (width < 16) memcpy(y, whole, (size_t)width);
}

/* All ones in the 32-bit lanes of channels first … first + 7 that are below `width`. */
INLINE __m256i live_lanes(int first, int64_t width) {
  __m256i channel = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)width), channel);
}

INLINE void note_range(const half *h, int first, int64_t width, hwb_stats *stats) {
  int32_t low[8], high[8];
  __m256i live = live_lanes(first, width);
  __m256i lowest = _mm256_blendv_epi8(_mm256_set1_epi32(INT32_MAX), _mm256_sub_epi32(h->lowest, h->shift), live);
  __m256i highest = _mm256_blendv_epi8(_mm256_set1_epi32(INT32_MIN), _mm256_sub_epi32(h->highest, h->shift), live);
  _mm256_storeu_si256((__m256i *)(void *)low, lowest);
  _mm256_storeu_si256((__m256i *)(void *)high, highest);
  for (int j = 0; j < 8; j++) {
    stats->lowest = hwb_min(stats->lowest, low[j]);
    stats->highest = hwb_max(stats->highest, high[j]);
  }
}

/* Hits of the first `width` channels. */
INLINE int64_t counted(const limits *s, int64_t width) {
  __m256i live = _mm256_packs_epi32(live_lanes(0, width), live_lanes(8, width)); /* in the order of words16 */
  __m256i pairs = _mm256_madd_epi16(_mm256_and_si256(s->saturated, live), _mm256_set1_epi16(1));
  __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4E));
  return _mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 1);
}

/* At most HWB_LINE_ROWS rows of 16 channels. */
INLINE void cast_rows(const hwb_cast *c, const hwb_block *b, hwb_stats *stats, const int lines, const int level) {
  const int64_t rows = b->rows, step = b->step, y_step = b->y_step, width = b->width;
  const int counts_low = c->n.counts_low != 0, clamps = c->n.clamp_hi - c->n.clamp_lo < 255;
  const int32_t *sums = b->sums;
  char *y = b->y;
  half h[2] = {load_half(c, b->channel), load_half(c, b->channel + 8)};
  limits s = load_limits(&c->n);
  int64_t i = 0;
  for (; i + 2 <= rows; i += 2, sums += 2 * step, y += 2 * y_step) {
    __m256i first = words16(h, &s, sums, counts_low, lines, level);
    __m256i codes = bytes32(&s, first, words16(h, &s, sums + step, counts_low, lines, level), clamps);
    store_row(y, _mm256_castsi256_si128(codes), width);
    store_row(y + y_step, _mm256_extracti128_si256(codes, 1), width);
  }
  if (i < rows) {
    __m256i words = words16(h, &s, sums, counts_low, lines, level);
    store_row(y, _mm256_castsi256_si128(bytes32(&s, words, words, clamps)), width);
  }
  if (level >= 1) stats->saturated += counted(&s, width);
  if (level >= 2) note_range(&h[0], 0, width, stats), note_range(&h[1], 8, width, stats);
}

/* How many lines serve all of 16 channels: 1, 2, or 0 where one has none. */
INLINE int lines_of(const hwb_cast *c, int64_t channel) {
  __m256 none = _mm256_setzero_ps(), two = _mm256_setzero_ps();
  for (int64_t ch = channel; ch < channel + 16; ch += 8) {
    __m256 offset = _mm256_loadu_ps(c->line_offset + ch), below = _mm256_loadu_ps(c->line_below + ch);
    none = _mm256_or_ps(none, _mm256_cmp_ps(_mm256_loadu_ps(c->line_slope + ch), _mm256_setzero_ps(), _CMP_EQ_OQ));
    two = _mm256_or_ps(two, _mm256_cmp_ps(offset, below, _CMP_NEQ_OQ));
  }
  return _mm256_movemask_ps(none) ? 0 : _mm256_movemask_ps(two) ? 2 : 1;
}

void hwb_cast_lines__avx2(const hwb_cast *c, const hwb_block *block, hwb_stats *stats) {
  int lines = lines_of(c, block->channel);
  if (lines) HWB_CAST_BY_LINES(cast_rows, lines, c, block, stats)
  else hwb_cast_by_form__avx2(c, block, stats);
}
