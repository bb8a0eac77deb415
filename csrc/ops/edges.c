/* Edges between float32 and codes: a table from codes to floats, and the roundings from floats to codes. */
#include <hwblocks/ops.h>

enum { TOGETHER = 64 }; /* elements at a time: their codes stay in the first-level cache */

static const float HALF_EVEN_MAGIC = 12582912.0f; /* 1.5 · 2^23: adding it leaves no bits for a fraction below 2^22 */

int hwb_dequantize_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_dequantize *p = op->parameters;
  float *out = y;
  (void)scratch;
  (void)stats;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0; i < p->n.count; i++, out++) {
      int64_t code = hwb_load(in[0], p->n.x_dtype, s * p->n.count + i) - p->n.x_lowest;
      *out = (i < p->n.head ? p->reals : p->tail_reals)[code];
    }
  return HWB_OK;
}


static double scaled(const hwb_quantize *p, const hwb_edge_rule *rule, float x) {
  double zero = rule->inside ? (double)p->n.zero_point : 0;
  if (rule->scaling == HWB_DIVIDE64) return (double)x / p->scale64[0] + zero;
  volatile float quotient = rule->scaling == HWB_RECIPROCAL ? x * p->scale32[1] : x / p->scale32[0];
  volatile float moved = rule->inside ? quotient + (float)zero : quotient; /* one rounding each */
  return (double)moved;
}

/* One float by any rule. */
static int64_t code_of(const hwb_quantize *p, const hwb_edge_rule *rule, float x, hwb_stats *stats) {
  const double far = 2147483648.0, farthest = 4611686018427387904.0; /* 2^31, 2^62 */
  if (x != x) x = -INFINITY;
  int64_t zero = rule->inside ? 0 : p->n.zero_point, low = p->n.lo - zero, high = p->n.hi - zero;
  double whole = hwb_round_real(fmin(fmax(scaled(p, rule, x), -farthest), farthest), rule->rounding);
  stats->saturated += whole < (double)low || whole > (double)high;
  if (rule->wrap_far) {
    int64_t held = fabs(whole) < far ? (int64_t)whole : INT32_MIN;
    return hwb_min(hwb_max(hwb_wrap((hwb_int128)held + zero, 32), p->n.lo), p->n.hi);
  }
  return (int64_t)fmin(fmax(whole, (double)low), (double)high) + zero;
}

/* Floats by the common rules: limited to one step beyond the codes, where floats are exact, then rounded. */
#define ROUND_ALL(QUOTIENT, ROUNDED)                                                                                   \
  for (int64_t i = 0; i < width; i++) {                                                                                \
    float v = QUOTIENT;                                                                                                \
    v = v > below ? v : below; /* NaN too becomes the lowest */                                                        \
    v = v < above ? v : above;                                                                                         \
    int32_t whole = (int32_t)(ROUNDED);                                                                                \
    outside += (whole < low) | (whole > high);                                                                         \
    whole = whole < low ? low : whole > high ? high : whole;                                                           \
    codes[i] = whole + zero;                                                                                           \
  }

#define HALF_EVEN(v) ((v + HALF_EVEN_MAGIC) - HALF_EVEN_MAGIC)
#define HALF_AWAY(v) ((int32_t)v + (v - (float)(int32_t)v >= 0.5f) - (v - (float)(int32_t)v <= -0.5f))

static void quick(const hwb_quantize *p, const hwb_edge_rule *rule, const float *x, int64_t width, int32_t *codes,
                  hwb_stats *stats) {
  int32_t zero = (int32_t)p->n.zero_point, low = (int32_t)p->n.lo - zero, high = (int32_t)p->n.hi - zero, outside = 0;
  float below = (float)(low - 1), above = (float)(high + 1), scale = p->scale32[0], inverse = p->scale32[1];
  if (rule->rounding == HWB_HALF_EVEN && rule->scaling == HWB_DIVIDE) {
    ROUND_ALL(x[i] / scale, HALF_EVEN(v))
  } else if (rule->rounding == HWB_HALF_EVEN) {
    ROUND_ALL(x[i] * inverse, HALF_EVEN(v))
  } else if (rule->scaling == HWB_DIVIDE) {
    ROUND_ALL(x[i] / scale, HALF_AWAY(v))
  } else {
    ROUND_ALL(x[i] * inverse, HALF_AWAY(v))
  }
  stats->saturated += outside;
}

/* `width` neighbours by one rule. Returns 0 where the rule has no code for a NaN. */
static int codes_of(const hwb_quantize *p, const hwb_edge_rule *rule, const float *x, int64_t width, int32_t *codes,
                    hwb_stats *stats) {
  int missing = 0;
  for (int64_t i = 0; i < width; i++) missing |= x[i] != x[i];
  if (missing && !rule->lowest_nan) return 0;
  if (rule->quick) {
    quick(p, rule, x, width, codes, stats);
    return 1;
  }
  for (int64_t i = 0; i < width; i++) codes[i] = (int32_t)code_of(p, rule, x[i], stats);
  return 1;
}

static void stored(const hwb_quantize *p, const int32_t *codes, int64_t width, void *y, int64_t at) {
  int32_t low = (int32_t)p->n.clamp_lo, high = (int32_t)p->n.clamp_hi;
  for (int64_t i = 0; i < width; i++) {
    int32_t code = codes[i] < low ? low : codes[i] > high ? high : codes[i];
    hwb_store(y, p->n.out_dtype, at + i, code);
  }
}

int hwb_quantize_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_quantize *p = op->parameters;
  const float *x = in[0];
  int32_t codes[TOGETHER];
  (void)scratch;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0, width = 0; i < p->n.count; i += width) {
      int64_t end = i < p->n.head ? p->n.head : p->n.count, at = s * p->n.count + i;
      width = hwb_min(TOGETHER, end - i);
      if (!codes_of(p, i < p->n.head ? &p->n.rule : &p->n.tail, x + at, width, codes, stats)) return HWB_NAN;
      stored(p, codes, width, y, at);
    }
  return HWB_OK;
}
