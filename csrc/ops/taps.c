/* Sums, norms and extremes of stated taps: reductions, pooling of any shape, interpolation. */
#include "settled.h"
#include "whole.h"
#include <hwblocks/taps.h>

enum { BLOCK = 64 };

static int64_t power_of(int64_t v, int64_t power) {
  int64_t size = v < 0 ? -v : v, made = size;
  for (int64_t i = 1; i < power; i++) made *= size;
  return made;
}

#define ADD_TAPS(T, VALUE)                                                                                             \
  do {                                                                                                                 \
    const T *codes = (const T *)x + start;                                                                             \
    for (int64_t k = p->first[position]; k < p->first[position + 1]; k++) {                                            \
      const T *from = codes + p->at[k];                                                                                \
      int64_t weight = p->weight ? p->weight[k] : 1;                                                                   \
      (void)weight;                                                                                                    \
      for (int64_t c = 0; c < width; c++) sums[c] += VALUE;                                                            \
    }                                                                                                                  \
  } while (0)

#define ADD_TAPS_OF_TYPE(VALUE)                                                                                        \
  do {                                                                                                                 \
    switch (p->n.t.x_dtype) {                                                                                          \
    case HWB_S8: ADD_TAPS(int8_t, VALUE); break;                                                                       \
    case HWB_U8: ADD_TAPS(uint8_t, VALUE); break;                                                                      \
    case HWB_S16: ADD_TAPS(int16_t, VALUE); break;                                                                     \
    case HWB_U16: ADD_TAPS(uint16_t, VALUE); break;                                                                    \
    default: ADD_TAPS(int32_t, VALUE); break;                                                                          \
    }                                                                                                                  \
  } while (0)

/* Sums of `width` channels of a position; element `start` of x is its first channel's tap at 0. */
static void add_taps(const hwb_tap_sum *p, const void *x, int64_t start, int64_t position, int64_t width,
                     int64_t *sums) {
  int64_t zero = p->n.x_zero, power = p->n.power;
  memset(sums, 0, (size_t)width * sizeof *sums);
  if (power) ADD_TAPS_OF_TYPE(power_of(from[c] - zero, power));
  else if (p->weight) ADD_TAPS_OF_TYPE(weight * (from[c] - zero));
  else ADD_TAPS_OF_TYPE(from[c] - zero);
}

/* The sign of (sum · A / B)^(1/degree) − halves. */
static int side_of_root(const hwb_tap_sum *p, int64_t sum, int64_t halves) {
  if (halves < 0) return 1;
  hwb_whole left = hwb_whole_of(sum), right = hwb_whole_of(halves), once = right;
  hwb_whole a = hwb_whole_at(p->exact, p->n.limbs), b = hwb_whole_at(p->exact + p->n.limbs + 1, p->n.limbs);
  for (int64_t i = 1; i < p->n.degree; i++) right = hwb_whole_product(&right, &once);
  left = hwb_whole_product(&left, &a);
  right = hwb_whole_product(&right, &b);
  return hwb_whole_compare(&left, &right);
}

static hwb_int128 exact_value(const hwb_tap_sum *p, int64_t sum, int64_t divisor, double near) {
  int64_t mode = p->n.end.rounding;
  if (!p->n.power) {
    hwb_int128 den = hwb_two_words(p->ratio, 1) * divisor;
    return hwb_round_ratio(sum * hwb_two_words(p->ratio, 0), den, mode);
  }
  int64_t halves = (int64_t)hwb_nearest(2 * near);
  return hwb_settled_at(halves, side_of_root(p, sum, halves), mode);
}

static double estimate(const hwb_tap_sum *p, int64_t sum, double divisor) {
  double value = (double)sum * p->near[0];
  if (!p->n.power) return value / divisor;
  if (p->n.degree == 1) return value / 2;
  return (p->n.degree == 2 ? sqrt(value) : pow(value, 1 / (double)p->n.degree)) / 2;
}

int hwb_tap_sum_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_tap_sum *p = op->parameters;
  const hwb_taps *t = &p->n.t;
  const hwb_cast_numbers *end = &p->n.end;
  int64_t sums[BLOCK], width;
  (void)scratch;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0; i < t->positions * t->inner; i += width) {
      int64_t position = i / t->inner, c = i % t->inner, divisor = p->divisor ? p->divisor[position] : 1;
      width = hwb_min(BLOCK, t->inner - c);
      add_taps(p, in[0], s * t->x_count + c, position, width, sums);
      for (int64_t j = 0; j < width; j++) {
        double near = estimate(p, sums[j], (double)divisor);
        hwb_int128 v = hwb_is_doubtful(near, p->near[1], end->rounding)
                           ? exact_value(p, sums[j], divisor, near)
                           : (hwb_int128)(int64_t)hwb_settled(near, end->rounding);
        hwb_store(y, end->out_dtype, s * t->positions * t->inner + i + j, hwb_limited(end, v + end->zero_point, stats));
      }
    }
  return HWB_OK;
}

#define KEEP_TAPS(T)                                                                                                   \
  do {                                                                                                                 \
    const T *codes = (const T *)x;                                                                                     \
    T *to = (T *)y + out;                                                                                              \
    for (int64_t c = 0; c < t->inner; c++) to[c] = first == last ? (T)p->n.lowest : codes[start + p->at[first] + c];   \
    for (int64_t k = first + 1; k < last; k++) {                                                                       \
      const T *from = codes + start + p->at[k];                                                                        \
      if (p->n.largest)                                                                                                \
        for (int64_t c = 0; c < t->inner; c++) to[c] = from[c] > to[c] ? from[c] : to[c];                              \
      else                                                                                                             \
        for (int64_t c = 0; c < t->inner; c++) to[c] = from[c] < to[c] ? from[c] : to[c];                              \
    }                                                                                                                  \
  } while (0)

static void keep_taps(const hwb_tap_extreme *p, const void *x, int64_t start, int64_t position, void *y, int64_t out) {
  const hwb_taps *t = &p->n.t;
  int64_t first = p->first[position], last = p->first[position + 1];
  switch (t->x_dtype) {
  case HWB_S8: KEEP_TAPS(int8_t); break;
  case HWB_U8: KEEP_TAPS(uint8_t); break;
  case HWB_S16: KEEP_TAPS(int16_t); break;
  case HWB_U16: KEEP_TAPS(uint16_t); break;
  case HWB_S32: KEEP_TAPS(int32_t); break;
  default: KEEP_TAPS(int64_t); break;
  }
}

int hwb_tap_extreme_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_tap_extreme *p = op->parameters;
  const hwb_taps *t = &p->n.t;
  (void)scratch;
  (void)stats;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0; i < t->positions; i++)
      keep_taps(p, in[0], s * t->x_count, i, y, (s * t->positions + i) * t->inner);
  return HWB_OK;
}
