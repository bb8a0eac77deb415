/* NEON casts by lines of floats (lines.h): 16 channels at a time. */
#include <arm_neon.h>
#include <hwblocks/cast_forms.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 4") for (int i = 0; i < (n); i++)

/* The lines of 4 channels, and the extremes of their shifted sums. */
typedef struct {
  int32x4_t start, shift, lowest, highest;
  float32x4_t slope, offset, below;
} quarter;

/* The limits of codes less the centre: as words where they are counted, as bytes where they are clamped. */
typedef struct {
  int16x8_t count_low, count_high;
  uint16x8_t saturated[2];
  int8x16_t clamp_low, clamp_high, centre;
} limits;

INLINE quarter load_quarter(const hwb_cast *c, int64_t ch) {
  quarter q;
  q.shift = vld1q_s32(c->line_shift + ch);
  q.start = vaddq_s32(vld1q_s32(c->bias32 + ch), q.shift);
  q.slope = vld1q_f32(c->line_slope + ch);
  q.offset = vld1q_f32(c->line_offset + ch);
  q.below = vld1q_f32(c->line_below + ch);
  q.lowest = vdupq_n_s32(INT32_MAX);
  q.highest = vdupq_n_s32(INT32_MIN);
  return q;
}

INLINE limits load_limits(const hwb_cast_numbers *n) {
  int64_t centre = n->out_dtype == HWB_U8 ? HWB_LINE_CENTRE : 0;
  limits s;
  s.count_low = vdupq_n_s16((int16_t)(n->counts_low ? n->lo - centre : INT16_MIN));
  s.count_high = vdupq_n_s16((int16_t)(n->counts_high ? n->hi - centre : INT16_MAX));
  s.saturated[0] = s.saturated[1] = vdupq_n_u16(0);
  s.clamp_low = vdupq_n_s8((int8_t)(n->clamp_lo - centre));
  s.clamp_high = vdupq_n_s8((int8_t)(n->clamp_hi - centre));
  s.centre = vreinterpretq_s8_u8(vdupq_n_u8((uint8_t)centre));
  return s;
}

/* 4 sums to codes in words, not yet limited. */
INLINE int16x4_t codes4(quarter *q, const int32_t *sums, const int lines, const int level) {
  int32x4_t v = vaddq_s32(vld1q_s32(sums), q->start);
  if (level >= 2) q->lowest = vminq_s32(q->lowest, v), q->highest = vmaxq_s32(q->highest, v);
  float32x4_t offset = q->offset;
  if (lines == 2) offset = vbslq_f32(vcltq_s32(v, q->shift), q->below, offset);
  return vqmovn_s32(vcvtnq_s32_f32(vfmaq_f32(offset, vcvtq_f32_s32(v), q->slope)));
}

INLINE int8x8_t codes8(quarter q[2], limits *s, int part, const int32_t *sums, const int lines, const int level) {
  int16x8_t words = vcombine_s16(codes4(&q[0], sums, lines, level), codes4(&q[1], sums + 4, lines, level));
  if (level >= 1) {
    uint16x8_t hits = vorrq_u16(vcgtq_s16(words, s->count_high), vcltq_s16(words, s->count_low));
    s->saturated[part] = vsubq_u16(s->saturated[part], hits);
  }
  return vqmovn_s16(words);
}

INLINE void store_row(char *y, int8x16_t codes, int64_t width) {
  if (width >= 16) vst1q_s8((int8_t *)y, codes);
  else memcpy(y, &codes, (size_t)width);
}

static int64_t counted(const limits *s, int64_t width) {
  uint16_t lane[16];
  int64_t sum = 0;
  vst1q_u16(lane, s->saturated[0]), vst1q_u16(lane + 8, s->saturated[1]);
  for (int64_t j = 0; j < width; j++) sum += lane[j];
  return sum;
}

static void note_range(const quarter *q, int64_t width, hwb_stats *stats) {
  int32_t low[4], high[4], shift[4];
  vst1q_s32(low, q->lowest), vst1q_s32(high, q->highest), vst1q_s32(shift, q->shift);
  for (int64_t j = 0; j < hwb_min(width, 4); j++) {
    stats->lowest = hwb_min(stats->lowest, (int64_t)low[j] - shift[j]);
    stats->highest = hwb_max(stats->highest, (int64_t)high[j] - shift[j]);
  }
}

/* At most HWB_LINE_ROWS rows of 16 channels. */
INLINE void cast_rows(const hwb_cast *c, const hwb_block *b, hwb_stats *stats, const int lines, const int level) {
  const int64_t rows = b->rows, step = b->step, y_step = b->y_step, width = b->width;
  const int32_t *sums = b->sums;
  char *y = b->y;
  quarter q[4];
  EACH(i, 4) q[i] = load_quarter(c, b->channel + 4 * i);
  limits s = load_limits(&c->n);
  for (int64_t i = 0; i < rows; i++, sums += step, y += y_step) {
    int8x8_t low = codes8(q, &s, 0, sums, lines, level), high = codes8(q + 2, &s, 1, sums + 8, lines, level);
    int8x16_t codes = vmaxq_s8(vminq_s8(vcombine_s8(low, high), s.clamp_high), s.clamp_low);
    store_row(y, veorq_s8(codes, s.centre), width);
  }
  if (level >= 1) stats->saturated += counted(&s, width);
  if (level >= 2) EACH(i, 4) note_range(&q[i], width - 4 * i, stats);
}

/* How many lines serve all of 16 channels: 1, 2, or 0 where one has none. */
static int lines_of(const hwb_cast *c, int64_t channel) {
  uint32x4_t none = vdupq_n_u32(0), one = vdupq_n_u32(UINT32_MAX);
  for (int64_t ch = channel; ch < channel + 16; ch += 4) {
    none = vorrq_u32(none, vceqzq_f32(vld1q_f32(c->line_slope + ch)));
    one = vandq_u32(one, vceqq_f32(vld1q_f32(c->line_offset + ch), vld1q_f32(c->line_below + ch)));
  }
  return vmaxvq_u32(none) ? 0 : vminvq_u32(one) ? 1 : 2;
}

void hwb_cast_lines__neon(const hwb_cast *c, const hwb_block *block, hwb_stats *stats) {
  int lines = lines_of(c, block->channel);
  if (lines) HWB_CAST_BY_LINES(cast_rows, lines, c, block, stats)
  else hwb_cast_by_form__neon(c, block, stats);
}
