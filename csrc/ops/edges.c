/* Edges between float32 and codes: a table from codes to floats, and the roundings from floats to codes. */
#include <hwblocks/edge_codes.h>
#include <hwblocks/ops.h>

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

static hwb_quick_edge quick_edge(const hwb_quantize *p, const hwb_edge_rule *rule) {
  int reciprocal = rule->scaling == HWB_RECIPROCAL;
  return (hwb_quick_edge){reciprocal,
                          rule->rounding == HWB_HALF_EVEN,
                          (int64_t)hwb_size_of(p->n.out_dtype),
                          (int32_t)p->n.zero_point,
                          (int32_t)p->n.lo,
                          (int32_t)p->n.hi,
                          (int32_t)p->n.clamp_lo,
                          (int32_t)p->n.clamp_hi,
                          p->scale32[reciprocal]};
}

/* `width` neighbours one by one. Returns 0 where the rule has no code for a NaN. */
static int one_by_one(const hwb_quantize *p, const hwb_edge_rule *rule, const float *x, int64_t width, char *y,
                      hwb_stats *stats) {
  for (int64_t i = 0; i < width; i++) {
    if (x[i] != x[i] && !rule->lowest_nan) return 0;
    int64_t code = code_of(p, rule, x[i], stats);
    hwb_store(y, p->n.out_dtype, i, hwb_min(hwb_max(code, p->n.clamp_lo), p->n.clamp_hi));
  }
  return 1;
}

/* Neighbours by one rule: by vectors where it suits them, up to what does not. Returns 0 as one_by_one does. */
static int codes_of(const hwb_op *op, const hwb_edge_rule *rule, const float *x, int64_t width, char *y,
                    hwb_stats *stats) {
  const hwb_quantize *p = op->parameters;
  hwb_quick_edge quick = quick_edge(p, rule);
  int64_t size = (int64_t)hwb_size_of(p->n.out_dtype);
  for (int64_t i = 0; i < width; i = hwb_min(width, i + HWB_EDGE_TOGETHER)) {
    if (rule->quick) i += op->kernels->edge_codes(&quick, x + i, width - i, y + i * size, &stats->saturated);
    if (!one_by_one(p, rule, x + i, hwb_min(HWB_EDGE_TOGETHER, width - i), y + i * size, stats)) return 0;
  }
  return 1;
}

int hwb_quantize_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_quantize *p = op->parameters;
  const float *x = in[0];
  char *out = y;
  int64_t count = p->n.count, size = (int64_t)hwb_size_of(p->n.out_dtype), head = hwb_min(p->n.head, count);
  (void)scratch;
  if (head == count) return codes_of(op, &p->n.rule, x, n * count, out, stats) ? HWB_OK : HWB_NAN;
  for (int64_t s = 0; s < n; s++, x += count, out += count * size) {
    if (!codes_of(op, &p->n.rule, x, head, out, stats)) return HWB_NAN;
    if (!codes_of(op, &p->n.tail, x + head, count - head, out + head * size, stats)) return HWB_NAN;
  }
  return HWB_OK;
}
