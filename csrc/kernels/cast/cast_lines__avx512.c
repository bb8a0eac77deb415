/* AVX-512 casts by lines of floats (lines.h): 16 channels at a time, four rows packed to bytes together. */
#include <hwblocks/cast_forms.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* The lines of 16 channels, and the extremes of their shifted sums. */
typedef struct {
  __m512i start, shift, lowest, highest;
  __m512 slope, offset, below;
} lines_of_16;

/* The limits of codes less the centre: as words where they are counted, as bytes where they are clamped. */
typedef struct {
  __m512i count_low, count_span; /* codes of this many above the low limit are not counted */
  __mmask32 live;                /* words of channels in use */
  int64_t saturated;
  __m512i clamp_low, clamp_high, centre;
} limits;

INLINE __m512i load(const void *x) { return _mm512_loadu_si512(x); }

INLINE lines_of_16 load_lines(const hwb_cast *c, int64_t ch) {
  lines_of_16 l;
  l.shift = load(c->line_shift + ch);
  l.start = _mm512_add_epi32(load(c->bias32 + ch), l.shift);
  l.slope = _mm512_loadu_ps(c->line_slope + ch);
  l.offset = _mm512_loadu_ps(c->line_offset + ch);
  l.below = _mm512_loadu_ps(c->line_below + ch);
  l.lowest = _mm512_set1_epi32(INT32_MAX);
  l.highest = _mm512_set1_epi32(INT32_MIN);
  return l;
}

/* Words of a pair of rows hold in turn four channels of each. */
INLINE __mmask32 live_words(int64_t width) {
  __mmask32 live = 0;
  for (int j = 0; j < 4; j++) {
    __mmask32 four = (__mmask32)((1u << hwb_max(0, hwb_min(4, width - 4 * j))) - 1);
    live |= (four | four << 4) << (8 * j);
  }
  return live;
}

INLINE limits load_limits(const hwb_cast_numbers *n, int64_t width) {
  int64_t centre = n->out_dtype == HWB_U8 ? HWB_LINE_CENTRE : 0;
  int64_t low = n->counts_low ? n->lo - centre : INT16_MIN, high = n->counts_high ? n->hi - centre : INT16_MAX;
  limits s;
  s.count_low = _mm512_set1_epi16((int16_t)low);
  s.count_span = _mm512_set1_epi16((int16_t)(high - low));
  s.live = width == 16 ? 0xFFFFFFFF : live_words(width);
  s.saturated = 0;
  s.clamp_low = _mm512_set1_epi8((char)(n->clamp_lo - centre));
  s.clamp_high = _mm512_set1_epi8((char)(n->clamp_hi - centre));
  s.centre = _mm512_set1_epi8((char)centre);
  return s;
}

/* 16 sums to codes, not yet limited. */
INLINE __m512i codes16(lines_of_16 *l, const int32_t *sums, const int lines, const int level) {
  __m512i v = _mm512_add_epi32(load(sums), l->start);
  if (level >= 2) {
    l->lowest = _mm512_min_epi32(l->lowest, v);
    l->highest = _mm512_max_epi32(l->highest, v);
  }
  __m512 offset = l->offset;
  if (lines == 2) offset = _mm512_mask_mov_ps(offset, _mm512_cmplt_epi32_mask(v, l->shift), l->below);
  return _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(v), l->slope, offset));
}

/* Two rows in words. What leaves 16 bits stays beyond every limit. */
INLINE __m512i words32(limits *s, __m512i first, __m512i second, const int level) {
  __m512i v = _mm512_packs_epi32(first, second);
  if (level >= 1) {
    __mmask32 hits = _mm512_cmpgt_epu16_mask(_mm512_sub_epi16(v, s->count_low), s->count_span);
    s->saturated += __builtin_popcount(hits & s->live);
  }
  return v;
}

/* Four rows as bytes in the order of their channels; packing alone limits them to 8 bits. */
INLINE __m512i bytes64(const limits *s, __m512i first, __m512i second, int clamps) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i v = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(first, second));
  if (clamps) v = _mm512_max_epi8(_mm512_min_epi8(v, s->clamp_high), s->clamp_low);
  return _mm512_xor_si512(v, s->centre);
}

/* The first `rows` rows. */
INLINE void store_rows(char *y, int64_t y_step, __m512i codes, int64_t rows, __mmask16 live) {
  _mm_mask_storeu_epi8(y, live, _mm512_castsi512_si128(codes));
  if (rows > 1) _mm_mask_storeu_epi8(y + y_step, live, _mm512_extracti32x4_epi32(codes, 1));
  if (rows > 2) _mm_mask_storeu_epi8(y + 2 * y_step, live, _mm512_extracti32x4_epi32(codes, 2));
  if (rows > 3) _mm_mask_storeu_epi8(y + 3 * y_step, live, _mm512_extracti32x4_epi32(codes, 3));
}

INLINE void store_whole(char *y, int64_t y_step, __m512i codes) {
  _mm_storeu_si128((__m128i *)(void *)y, _mm512_castsi512_si128(codes));
  _mm_storeu_si128((__m128i *)(void *)(y + y_step), _mm512_extracti32x4_epi32(codes, 1));
  _mm_storeu_si128((__m128i *)(void *)(y + 2 * y_step), _mm512_extracti32x4_epi32(codes, 2));
  _mm_storeu_si128((__m128i *)(void *)(y + 3 * y_step), _mm512_extracti32x4_epi32(codes, 3));
}

static void note_range(const lines_of_16 *l, __mmask16 live, hwb_stats *stats) {
  __m512i low = _mm512_sub_epi32(l->lowest, l->shift), high = _mm512_sub_epi32(l->highest, l->shift);
  stats->lowest = hwb_min(stats->lowest, _mm512_mask_reduce_min_epi32(live, low));
  stats->highest = hwb_max(stats->highest, _mm512_mask_reduce_max_epi32(live, high));
}

/* At most HWB_LINE_ROWS rows of 16 channels. Rows missing to four hold a code that no limit counts. */
INLINE void cast_rows(const hwb_cast *c, const hwb_block *b, hwb_stats *stats, const int lines, const int level) {
  const int64_t rows = b->rows, step = b->step, y_step = b->y_step, width = b->width;
  const int clamps = c->n.clamp_hi - c->n.clamp_lo < 255;
  const __mmask16 live = (__mmask16)((1u << width) - 1);
  const int32_t *sums = b->sums;
  char *y = b->y;
  lines_of_16 l = load_lines(c, b->channel);
  limits s = load_limits(&c->n, width);
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4, sums += 4 * step, y += 4 * y_step) {
    __m512i v0 = codes16(&l, sums, lines, level), v1 = codes16(&l, sums + step, lines, level);
    __m512i v2 = codes16(&l, sums + 2 * step, lines, level), v3 = codes16(&l, sums + 3 * step, lines, level);
    __m512i first = words32(&s, v0, v1, level), second = words32(&s, v2, v3, level);
    __m512i codes = bytes64(&s, first, second, clamps);
    if (width == 16) store_whole(y, y_step, codes);
    else store_rows(y, y_step, codes, 4, live);
  }
  if (i < rows) {
    __m512i inside = _mm512_set1_epi32((int32_t)(c->n.clamp_lo - (c->n.out_dtype == HWB_U8 ? HWB_LINE_CENTRE : 0)));
    __m512i v[4] = {inside, inside, inside, inside};
    for (int64_t j = 0; j < rows - i; j++) v[j] = codes16(&l, sums + j * step, lines, level);
    __m512i first = words32(&s, v[0], v[1], level), second = words32(&s, v[2], v[3], level);
    store_rows(y, y_step, bytes64(&s, first, second, clamps), rows - i, live);
  }
  if (level >= 1) stats->saturated += s.saturated;
  if (level >= 2) note_range(&l, live, stats);
}

/* How many lines serve all of 16 channels: 1, 2, or 0 where one has none. */
static int lines_of(const hwb_cast *c, int64_t channel) {
  __m512 slope = _mm512_loadu_ps(c->line_slope + channel), zero = _mm512_setzero_ps();
  __m512 offset = _mm512_loadu_ps(c->line_offset + channel), below = _mm512_loadu_ps(c->line_below + channel);
  if (_mm512_cmp_ps_mask(slope, zero, _CMP_EQ_OQ)) return 0;
  return _mm512_cmp_ps_mask(offset, below, _CMP_NEQ_OQ) ? 2 : 1;
}

void hwb_cast_lines__avx512(const hwb_cast *c, const hwb_block *block, hwb_stats *stats) {
  int lines = lines_of(c, block->channel);
  if (lines) HWB_CAST_BY_LINES(cast_rows, lines, c, block, stats)
  else hwb_cast_by_form__avx512(c, block, stats);
}
