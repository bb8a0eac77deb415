/* Layer, RMS, group, instance and p-norms on codes: whole numbers until one rounding. */
#include "settled.h"
#include "whole.h"
#include <hwblocks/norms.h>

enum { BLOCK = 128, FRACTION = 30, SEED_SHIFT = 22, INDEX_SHIFT = 25, FIRST_SEED = 8 };

/* Statistics of the groups of one part [rows, groups, width]; reals has one entry for every element of a row. */
typedef struct {
  int64_t *sum, *square; /* [groups] Σ x, then what is taken off K · x; Σ x² or Σ |x| */
  hwb_int128 *total;     /* [groups] Σ d², or what stands for the square of the divisor */
  int64_t *root, *shift; /* [groups] r, or m and its right shift */
  double *less, *factor; /* [groups · width] of d = K · x − less, and 1 / divisor */
} statistics;

static statistics laid_out(const hwb_norm_numbers *n, void *scratch) {
  statistics s;
  s.total = scratch;
  s.sum = (int64_t *)(s.total + n->groups);
  s.square = s.sum + n->groups;
  s.root = s.square + n->groups;
  s.shift = s.root + n->groups;
  s.less = (double *)(s.shift + n->groups);
  s.factor = s.less + n->groups * n->width;
  return s;
}

size_t hwb_norm_scratch_bytes(const void *parameters) {
  const hwb_norm_numbers *n = parameters;
  size_t groups = (size_t)n->groups;
  return groups * (sizeof(hwb_int128) + 4 * sizeof(int64_t)) + 2 * groups * (size_t)n->width * sizeof(double);
}

#define ADD_CODES(T, SECOND)                                                                                           \
  do {                                                                                                                 \
    const T *codes = (const T *)x + first;                                                                             \
    for (int64_t r = 0; r < n->rows && n->width == 1; r++, codes += n->groups) /* groups side by side */               \
      for (int64_t g = 0; g < n->groups; g++) {                                                                        \
        int32_t v = (int32_t)(codes[g] - zero);                                                                        \
        sums[g] += v;                                                                                                  \
        squares[g] += SECOND;                                                                                          \
      }                                                                                                                \
    for (int64_t r = 0; r < n->rows && n->width > 1; r++)                                                              \
      for (int64_t g = 0; g < n->groups; g++) {                                                                        \
        int64_t sum = 0, second = 0;                                                                                   \
        for (int64_t w = 0; w < n->width; w++) {                                                                       \
          int32_t v = (int32_t)(*codes++ - zero);                                                                      \
          sum += v;                                                                                                    \
          second += SECOND;                                                                                            \
        }                                                                                                              \
        sums[g] += sum;                                                                                                \
        squares[g] += second;                                                                                          \
      }                                                                                                                \
  } while (0)

#define ADD_CODES_OF_TYPE(SECOND)                                                                                      \
  do {                                                                                                                 \
    switch (n->x_dtype) {                                                                                              \
    case HWB_S8: ADD_CODES(int8_t, SECOND); break;                                                                     \
    case HWB_U8: ADD_CODES(uint8_t, SECOND); break;                                                                    \
    case HWB_S16: ADD_CODES(int16_t, SECOND); break;                                                                   \
    default: ADD_CODES(uint16_t, SECOND); break;                                                                       \
    }                                                                                                                  \
  } while (0)

/* Σ x and Σ x² (or Σ |x|) of every group of the part that starts at an element. */
static void add_codes(const hwb_norm_numbers *n, const void *x, int64_t first, const statistics *s) {
  int32_t zero = (int32_t)n->x_zero;
  int64_t *restrict sums = s->sum, *restrict squares = s->square; /* codes may be of char's type, which aliases all */
  memset(s->sum, 0, (size_t)n->groups * sizeof *s->sum);
  memset(s->square, 0, (size_t)n->groups * sizeof *s->square);
  if (n->divisor == HWB_BY_SIZES) ADD_CODES_OF_TYPE(v < 0 ? -v : v);
  else ADD_CODES_OF_TYPE((int64_t)v * v);
}

/* ⌊√v⌋ of 1 ≤ v < 2^124. */
static int64_t whole_root(hwb_int128 v) {
  hwb_int128 r = (hwb_int128)sqrt((double)v);
  r = (r + v / r) / 2; /* from the double's 53 bits to within one */
  while (r * r > v) r--;
  while ((r + 1) * (r + 1) <= v) r++;
  return (int64_t)r;
}

/* m with 1 / √v ≈ m · 2^(−30 − k), v = d · 4^k; see numerics/newton.py. 0 < v < 2^62. */
static int64_t newton_root(const hwb_norm *p, int64_t v, int64_t *k) {
  int64_t bits = 0;
  while (v >> bits) bits++;
  *k = (bits + 1) / 2;
  int64_t shift = FRACTION - 2 * *k, d = shift >= 0 ? v << shift : v >> -shift;
  int64_t x = p->seeds[(d >> INDEX_SHIFT) - FIRST_SEED] << SEED_SHIFT;
  for (int64_t i = 0; i < p->n.steps; i++) {
    int64_t square = (x * x) >> FRACTION;
    x = (x * (3 * ((int64_t)1 << FRACTION) - ((d * square) >> FRACTION))) >> (FRACTION + 1);
  }
  return x;
}

/* The whole root or the Newton root of a group; its quotients count in 2^−f, which total and factor say. */
static double whole_divisor(const hwb_norm *p, const statistics *s, int64_t g) {
  const hwb_norm_numbers *n = &p->n;
  hwb_int128 square = s->total[g] / n->count + hwb_two_words(p->more, 0);
  if (square < 1) square = 1;
  if (n->divisor == HWB_BY_WHOLE_ROOT) {
    s->root[g] = whole_root(square);
  } else {
    s->root[g] = newton_root(p, (int64_t)square, &s->shift[g]);
    s->shift[g] += FRACTION - n->fraction_bits;
  }
  s->total[g] = (hwb_int128)1 << (2 * n->fraction_bits);
  return (double)((int64_t)1 << n->fraction_bits);
}

/* What deviations of a group are divided by, in a double, and Σ d² or what stands for it. */
static double divisor(const hwb_norm *p, const statistics *s, int64_t g) {
  const hwb_norm_numbers *n = &p->n;
  hwb_int128 sum = s->sum[g], elements = n->rows * n->width;
  if (n->divisor == HWB_BY_SIZES) {
    s->total[g] = (hwb_int128)s->square[g] * s->square[g];
    return (double)s->square[g];
  }
  s->total[g] = n->centred ? elements * (elements * s->square[g] - sum * sum) : s->square[g];
  if (n->divisor != HWB_BY_ROOT) return whole_divisor(p, s, g);
  return sqrt((double)s->total[g] * p->near[0] + p->near[1]) + p->near[2];
}

static void finish(const hwb_norm *p, const statistics *s) {
  const hwb_norm_numbers *n = &p->n;
  for (int64_t g = 0; g < n->groups; g++) {
    double by = divisor(p, s, g), factor = by > 0 ? 1 / by : 0;
    for (int64_t w = 0; w < n->width; w++) {
      s->less[g * n->width + w] = n->centred ? (double)s->sum[g] : 0;
      s->factor[g * n->width + w] = factor;
    }
  }
}

/* d of an element of column j of a row, or n of the integer divisors. */
static hwb_int128 dividend(const hwb_norm_numbers *n, const statistics *s, int64_t v, int64_t j) {
  int64_t g = j / n->width, d = n->centred ? v * n->rows * n->width - s->sum[g] : v;
  if (n->divisor < HWB_BY_WHOLE_ROOT) return d;
  if (n->divisor == HWB_BY_NEWTON)
    return ((hwb_int128)d * s->root[g] + ((hwb_int128)1 << (s->shift[g] - 1))) >> s->shift[g];
  hwb_int128 by = s->root[g], up = (hwb_int128)d * ((int64_t)1 << n->fraction_bits) + by / 2;
  return up < 0 ? -((by - 1 - up) / by) : up / by;
}

/* The sign of gain · d / divisor + offset − halves / 2: with gain p / q, offset r / q and T = halves · q − r that of
   p · d − T · ε against T · √(S · α / γ + β / γ), compared by squares. */
static int side_of(const hwb_norm *p, int64_t element, hwb_int128 d, hwb_int128 total, int64_t halves) {
  int64_t width = p->n.limbs, step = width + 1;
  const uint32_t *own = p->parameters + element % p->n.period * 3 * step;
  hwb_whole gain = hwb_whole_at(own, width), offset = hwb_whole_at(own + step, width);
  hwb_whole unit = hwb_whole_at(own + 2 * step, width), at = hwb_whole_of(halves), size = hwb_whole_of(d);
  hwb_whole group[5];
  for (int i = 0; i < 5; i++) group[i] = hwb_whole_at(p->group + i * step, width);
  at = hwb_whole_product(&at, &unit);
  hwb_whole t = hwb_whole_less(&at, &offset), square = hwb_whole_of(total);
  square = hwb_whole_product(&square, &group[0]);
  square = hwb_whole_sum(&square, &group[1]);
  if (!hwb_whole_sign(&square) && !hwb_whole_sign(&group[3])) return -hwb_whole_sign(&t); /* no spread: the offset */
  gain = hwb_whole_product(&gain, &size);
  hwb_whole left = hwb_whole_product(&gain, &group[4]), right = hwb_whole_product(&t, &group[3]);
  left = hwb_whole_less(&left, &right);
  right = hwb_whole_product(&t, &group[4]);
  int of_left = hwb_whole_sign(&left), of_right = hwb_whole_sign(&square) ? hwb_whole_sign(&right) : 0;
  if (of_left != of_right) return of_left > of_right ? 1 : -1;
  left = hwb_whole_product(&left, &left);
  left = hwb_whole_product(&left, &group[2]);
  right = hwb_whole_product(&right, &right);
  right = hwb_whole_product(&right, &square);
  return of_left * hwb_whole_larger(&left, &right);
}

/* Column j of a row whose first element is `first` of the sample. */
static int64_t exact_code(const hwb_norm *p, const statistics *s, int64_t v, int64_t first, int64_t j, double near,
                          hwb_stats *stats) {
  const hwb_cast_numbers *end = &p->n.end;
  int64_t halves = (int64_t)hwb_nearest(2 * near), g = j / p->n.width;
  int side = side_of(p, first + j, dividend(&p->n, s, v, j), s->total[g], halves);
  return hwb_limited(end, (hwb_int128)hwb_settled_at(halves, side, end->rounding) + end->zero_point, stats);
}

/* Values of `width` elements from column j of a row on, nearly; returns how many doubles do not decide. */
static int64_t estimated(const hwb_norm *p, const statistics *s, const int32_t *v, int64_t first, int64_t j,
                         int64_t width, double *near) {
  const hwb_norm_numbers *n = &p->n;
  int64_t at = (first + j) % n->fastest, doubtful = 0, mode = n->end.rounding;
  double elements = n->centred ? (double)(n->rows * n->width) : 1, margin = p->near[3];
  const double *gain = p->gain + at, *offset = p->offset + at, *less = s->less + j, *factor = s->factor + j;
  if (n->divisor < HWB_BY_WHOLE_ROOT)
    for (int64_t i = 0; i < width; i++) near[i] = (v[i] * elements - less[i]) * factor[i] * gain[i] + offset[i];
  else
    for (int64_t i = 0; i < width; i++) near[i] = (double)dividend(n, s, v[i], j + i) * factor[i] * gain[i] + offset[i];
  double edge = hwb_is_half(mode) ? 0.5 : 0;
  for (int64_t i = 0; i < width; i++) doubtful += fabs(fabs(near[i] - hwb_nearest(near[i])) - edge) <= margin;
  return doubtful;
}

#define CODES(T)                                                                                                       \
  do {                                                                                                                 \
    const T *codes = (const T *)x + at;                                                                                \
    for (int64_t i = 0; i < width; i++) v[i] = (int32_t)(codes[i] - zero);                                             \
  } while (0)

/* x without its zero point, of `width` elements from `at` on. */
static void values_of(const hwb_norm_numbers *n, const void *x, int64_t at, int64_t width, int32_t *v) {
  int32_t zero = (int32_t)n->x_zero;
  switch (n->x_dtype) {
  case HWB_S8: CODES(int8_t); break;
  case HWB_U8: CODES(uint8_t); break;
  case HWB_S16: CODES(int16_t); break;
  default: CODES(uint16_t); break;
  }
}

#define STORE_CODES(T)                                                                                                 \
  do {                                                                                                                 \
    T *to = (T *)y + at;                                                                                               \
    for (int64_t i = 0; i < width; i++) to[i] = (T)codes[i];                                                           \
  } while (0)

static void store_codes(const hwb_norm_numbers *n, const int32_t *codes, void *y, int64_t at, int64_t width) {
  switch (n->end.out_dtype) {
  case HWB_S8:
  case HWB_U8: STORE_CODES(uint8_t); break;
  case HWB_S16:
  case HWB_U16: STORE_CODES(uint16_t); break;
  default: STORE_CODES(int32_t); break;
  }
}

/* Codes of values that doubles decide. */
static void settled_codes(const hwb_cast_numbers *end, double *near, int64_t width, int32_t *codes, hwb_stats *stats) {
  double zero = (double)end->zero_point, lo = (double)end->lo, hi = (double)end->hi;
  double clamp_lo = (double)hwb_max(end->lo, end->clamp_lo), clamp_hi = (double)hwb_min(end->hi, end->clamp_hi);
  int32_t below = 0, above = 0;
  if (hwb_is_half(end->rounding))
    for (int64_t i = 0; i < width; i++) near[i] = hwb_nearest(near[i]) + zero;
  else
    for (int64_t i = 0; i < width; i++) near[i] = hwb_settled(near[i], end->rounding) + zero;
  for (int64_t i = 0; i < width; i++) {
    double code = near[i];
    below += code < lo;
    above += code > hi;
    code = code < clamp_lo ? clamp_lo : code;
    codes[i] = (int32_t)(code > clamp_hi ? clamp_hi : code);
  }
  stats->saturated += below * end->counts_low + above * end->counts_high;
}

static void block_out(const hwb_norm *p, const statistics *s, const void *x, void *y, int64_t sample, int64_t first,
                      int64_t j, int64_t width, hwb_stats *stats) {
  const hwb_norm_numbers *n = &p->n;
  int32_t v[BLOCK], codes[BLOCK];
  double near[BLOCK];
  int64_t at = sample + first + j, mode = n->end.rounding;
  values_of(n, x, at, width, v);
  if (estimated(p, s, v, first, j, width, near) == 0) settled_codes(&n->end, near, width, codes, stats);
  else
    for (int64_t i = 0; i < width; i++)
      if (hwb_is_doubtful(near[i], p->near[3], mode))
        codes[i] = (int32_t)exact_code(p, s, v[i], first, j + i, near[i], stats);
      else settled_codes(&n->end, near + i, 1, codes + i, stats);
  store_codes(n, codes, y, at, width);
}

int hwb_norm_run(const hwb_op *op, const void *const *in, void *y, int64_t count, void *scratch, hwb_stats *stats) {
  const hwb_norm *p = op->parameters;
  const hwb_norm_numbers *n = &p->n;
  int64_t row = n->groups * n->width, part = n->rows * row;
  statistics s = laid_out(n, scratch);
  for (int64_t o = 0; o < count * n->outer; o++) {
    int64_t sample = o / n->outer * n->outer * part, start = o % n->outer * part;
    add_codes(n, in[0], sample + start, &s);
    finish(p, &s);
    for (int64_t r = 0; r < n->rows; r++)
      for (int64_t j = 0; j < row; j += BLOCK)
        block_out(p, &s, in[0], y, sample, start + r * row, j, hwb_min(BLOCK, row - j), stats);
  }
  return HWB_OK;
}
