/* NEON casts of 32-bit accumulators, 4 channels at a time with their constants held while the rows pass; the scalar
   definition for what has no vector form (enum hwb_vector; numerics/kernels/cast.py decides). */
#include <arm_neon.h>
#include <hwblocks/cast_forms.h>
#include <string.h>

enum { LANES = 4 };

#define INLINE static inline __attribute__((always_inline))

/* The constants of 4 channels, and what the rows counted. */
typedef struct {
  int32x4_t bias, left, factor, right; /* right negated: NEON shifts left by negative amounts to the right */
  int64x2_t above[2], below[2];
  float32x4_t scale32;
  float64x2_t scale64[2];
  int32x4_t zero, clamp_low, clamp_high, count_low, count_high, cut;
  uint32x4_t live, saturated, outside;
  int32x4_t lowest, highest;
} state;

INLINE void load_affine(const hwb_cast *c, int64_t ch, int by_sign, state *s) {
  s->left = c->left ? vld1q_s32(c->left + ch) : vdupq_n_s32(0);
  s->factor = vld1q_s32(c->factor + ch);
  s->right = vnegq_s32(vld1q_s32(c->right + ch));
  for (int h = 0; h < 2; h++) {
    s->above[h] = vld1q_s64(c->addend + ch + 2 * h);
    if (by_sign) s->below[h] = vld1q_s64(c->addend_below + ch + 2 * h);
  }
}

INLINE void load_limits(const hwb_cast_numbers *n, int64_t width, state *s) {
  static const uint32_t lane[LANES] = {0, 1, 2, 3};
  s->zero = vdupq_n_s32((int32_t)n->zero_point);
  s->clamp_low = vdupq_n_s32((int32_t)n->clamp_lo);
  s->clamp_high = vdupq_n_s32((int32_t)n->clamp_hi);
  s->count_low = vdupq_n_s32(n->counts_low ? (int32_t)n->lo : INT32_MIN);
  s->count_high = vdupq_n_s32(n->counts_high ? (int32_t)n->hi : INT32_MAX);
  s->cut = vdupq_n_s32((int32_t)(32 - hwb_min(32, n->accumulator_bits)));
  s->live = vcltq_u32(vld1q_u32(lane), vdupq_n_u32((uint32_t)width));
  s->saturated = s->outside = vdupq_n_u32(0);
  s->lowest = vdupq_n_s32(INT32_MAX);
  s->highest = vdupq_n_s32(INT32_MIN);
}

INLINE state load_state(const hwb_cast *c, int64_t ch, int64_t width, const int form) {
  state s;
  s.bias = vld1q_s32(c->bias32 + ch);
  if (form == HWB_AFFINE || form == HWB_AFFINE_BY_SIGN) load_affine(c, ch, form == HWB_AFFINE_BY_SIGN, &s);
  if (form == HWB_REAL32) s.scale32 = vld1q_f32(c->scale32 + ch);
  if (form == HWB_REAL64) s.scale64[0] = vld1q_f64(c->scale64 + ch), s.scale64[1] = vld1q_f64(c->scale64 + ch + 2);
  load_limits(&c->n, width, &s);
  return s;
}

/* Two products and their addends. */
INLINE int64x2_t added(int64x2_t product, int64x2_t above, int64x2_t below, int by_sign) {
  return vaddq_s64(product, by_sign ? vbslq_s64(vcltzq_s64(product), below, above) : above);
}

/* The high words of v · factor + addend, then the rest of the shift. */
INLINE int32x4_t affine(const hwb_cast *c, const state *s, int32x4_t v, int by_sign) {
  if (c->left) v = vshlq_s32(v, s->left);
  int64x2_t low = added(vmull_s32(vget_low_s32(v), vget_low_s32(s->factor)), s->above[0], s->below[0], by_sign);
  int64x2_t high = added(vmull_high_s32(v, s->factor), s->above[1], s->below[1], by_sign);
  return vshlq_s32(vshrn_high_n_s64(vshrn_n_s64(low, 32), high, 32), s->right);
}

INLINE int32x4_t real32(const hwb_cast *c, const state *s, int32x4_t v) {
  float32x4_t product = vmulq_f32(vcvtq_f32_s32(v), s->scale32), edge = vdupq_n_f32(1073741824.0f);
  if (c->n.zero_inside) product = vaddq_f32(product, vcvtq_f32_s32(s->zero));
  v = vcvtnq_s32_f32(vmaxq_f32(vminq_f32(product, edge), vnegq_f32(edge)));
  return c->n.zero_inside ? v : vaddq_s32(v, s->zero);
}

/* Two doubles to the nearest integers: ties to even, or away from zero. */
INLINE int32x2_t nearest2(int32x2_t v, float64x2_t scale, int away) {
  float64x2_t edge = vdupq_n_f64(1073741824.0); /* far outside every output, inside int32 */
  float64x2_t product = vmulq_f64(vcvtq_f64_s64(vmovl_s32(v)), scale);
  product = vmaxq_f64(vminq_f64(product, edge), vnegq_f64(edge));
  return vmovn_s64(away ? vcvtaq_s64_f64(product) : vcvtnq_s64_f64(product));
}

INLINE int32x4_t real64(const hwb_cast *c, const state *s, int32x4_t v) {
  int away = c->n.rounding == HWB_HALF_AWAY;
  int32x2_t low = nearest2(vget_low_s32(v), s->scale64[0], away), high = nearest2(vget_high_s32(v), s->scale64[1], away);
  return vaddq_s32(vcombine_s32(low, high), s->zero);
}

/* Counters go up by one where hits are all ones. */
INLINE uint32x4_t counted(const state *s, uint32x4_t counter, uint32x4_t hits) {
  return vsubq_u32(counter, vandq_u32(hits, s->live));
}

/* The accumulator as its register holds it. */
INLINE int32x4_t held(const hwb_cast *c, state *s, int32x4_t v) {
  if (c->n.accumulator_bits >= 32) return v;
  int32x4_t kept = vshlq_s32(vshlq_s32(v, s->cut), vnegq_s32(s->cut));
  s->outside = counted(s, s->outside, vmvnq_u32(vceqq_s32(kept, v)));
  return kept;
}

INLINE void note_range(state *s, int32x4_t v) {
  s->lowest = vminq_s32(s->lowest, vbslq_s32(s->live, v, s->lowest));
  s->highest = vmaxq_s32(s->highest, vbslq_s32(s->live, v, s->highest));
}

/* The first `width` of four codes that fit their storage type, of any sign. */
INLINE void store(int32x4_t v, int64_t dtype, int64_t width, char *y) {
  int16x4_t words = vmovn_s32(v);
  int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
  int32_t codes[LANES];
  if (width < LANES) {
    vst1q_s32(codes, v);
    for (int64_t j = 0; j < width; j++) hwb_store(y, dtype, j, codes[j]);
  } else if (dtype <= HWB_U8) {
    memcpy(y, &bytes, LANES);
  } else if (dtype <= HWB_U16) {
    memcpy(y, &words, LANES * sizeof(int16_t));
  } else {
    memcpy(y, &v, LANES * sizeof(int32_t));
  }
}

INLINE void cast_row(const hwb_cast *c, state *s, const int32_t *sums, int64_t width, char *y, const int form,
                     const int level) {
  int32x4_t v = held(c, s, vaddq_s32(vld1q_s32(sums), s->bias));
  if (level >= 2) note_range(s, v);
  if (form == HWB_REAL32) v = real32(c, s, v);
  else if (form == HWB_REAL64) v = real64(c, s, v);
  else if (form != HWB_STORED) v = affine(c, s, v, form == HWB_AFFINE_BY_SIGN);
  if (form != HWB_STORED) {
    if (level >= 1)
      s->saturated = counted(s, s->saturated, vorrq_u32(vcltq_s32(v, s->count_low), vcgtq_s32(v, s->count_high)));
    v = vmaxq_s32(vminq_s32(v, s->clamp_high), s->clamp_low);
  }
  store(v, c->n.out_dtype, width, y);
}

static void note(const state *s, hwb_stats *stats) {
  stats->saturated += (int64_t)vaddlvq_u32(s->saturated);
  stats->outside += (int64_t)vaddlvq_u32(s->outside);
  if (stats->level < 2) return;
  stats->lowest = hwb_min(stats->lowest, vminvq_s32(s->lowest));
  stats->highest = hwb_max(stats->highest, vmaxvq_s32(s->highest));
}

INLINE void cast_columns(const hwb_cast *c, const hwb_block *b, int64_t at, hwb_stats *stats, const int form,
                         const int level) {
  const int32_t *sums = (const int32_t *)b->sums + at;
  char *y = b->y + at * (int64_t)hwb_size_of(c->n.out_dtype);
  int64_t width = hwb_min(LANES, b->width - at);
  state s = load_state(c, b->channel + at, width, form);
  for (int64_t i = 0; i < b->rows; i++) cast_row(c, &s, sums + i * b->step, width, y + i * b->y_step, form, level);
  if (level >= 1 || c->n.accumulator_bits < 32) note(&s, stats);
}

INLINE void cast_form(const hwb_cast *c, const hwb_block *b, hwb_stats *stats, const int form) {
  for (int64_t at = 0; at < b->width; at += LANES) {
    if (stats->level >= 2) cast_columns(c, b, at, stats, form, 2);
    else if (stats->level == 1) cast_columns(c, b, at, stats, form, 1);
    else cast_columns(c, b, at, stats, form, 0);
  }
}

void hwb_cast_by_form__neon(const hwb_cast *c, const hwb_block *b, hwb_stats *stats) {
  HWB_CAST_BY_FORM(cast_form, c, b, stats)
}

HWB_DEFINE_CAST(neon)
