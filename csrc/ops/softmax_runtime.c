/* Softmax over the last axis as runtimes compute it: fixed point, 16-bit tables, float32, float64. */
#include <hwblocks/gemmlowp.h>
#include <hwblocks/ops.h>
#include <math.h>

static int64_t largest_of(const hwb_runtime_softmax_numbers *n, const void *x, int64_t first) {
  int64_t largest = INT64_MIN;
  for (int64_t i = 0; i < n->length; i++) largest = hwb_max(largest, hwb_load(x, n->x_dtype, first + i));
  return largest;
}

static void put(const hwb_runtime_softmax_numbers *n, void *y, int64_t at, int64_t t, hwb_stats *stats) {
  hwb_store(y, n->end.out_dtype, at, hwb_limited(&n->end, (hwb_int128)t + n->end.zero_point, stats));
}

int hwb_softmax_fixed_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_runtime_softmax *p = op->parameters;
  const hwb_runtime_softmax_numbers *c = &p->n;
  (void)scratch;
  for (int64_t first = 0; first < n * c->rows * c->length; first += c->length) {
    int64_t top = largest_of(c, in[0], first), sum = 0;
    for (int64_t i = 0; i < c->length; i++) sum += p->second[top - hwb_load(in[0], c->x_dtype, first + i)];
    int64_t zeros = hwb_leading_zeros(sum), shift = 12 - zeros + 31 - c->bits;
    int64_t inverse = hwb_one_over_one_plus((sum << zeros) - ((int64_t)1 << 31));
    for (int64_t i = 0; i < c->length; i++) {
      int64_t power = p->table[top - hwb_load(in[0], c->x_dtype, first + i)];
      put(c, y, first + i, hwb_shift_away(hwb_high_product(power, inverse), shift), stats);
    }
  }
  return HWB_OK;
}

/* A 513-entry table at a 16-bit code: linear between entries, ties up. */
static int64_t interpolated(const int32_t *table, int64_t x) {
  int64_t index = 256 + (x >> 7), rest = x & 127, base = table[index];
  return base + (((table[index + 1] - base) * rest + 64) >> 7);
}

int hwb_softmax_midpoint_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                             hwb_stats *stats) {
  const hwb_runtime_softmax *p = op->parameters;
  const hwb_runtime_softmax_numbers *c = &p->n;
  (void)scratch;
  for (int64_t first = 0; first < n * c->rows * c->length; first += c->length) {
    int64_t top = largest_of(c, in[0], first), sum = 0;
    for (int64_t i = 0; i < c->length; i++) sum += p->table[top - hwb_load(in[0], c->x_dtype, first + i)];
    int64_t room = hwb_leading_zeros(sum), rest = ((sum << (room - 1)) + (1 << 13)) >> 14;
    int64_t factor = interpolated(p->second, hwb_max(-32768, hwb_min(32767, rest - 98304)));
    for (int64_t i = 0; i < c->length; i++) {
      int64_t term = p->table[top - hwb_load(in[0], c->x_dtype, first + i)];
      int64_t t = (term * factor + ((int64_t)1 << (30 - room))) >> (31 - room);
      put(c, y, first + i, hwb_max(0, hwb_min(32767, t)), stats);
    }
  }
  return HWB_OK;
}

/* Σ of a row's powers in float32, one rounding per addition, in index order. */
static float sum_in_order(const hwb_runtime_softmax *p, const void *x, int64_t first, int64_t top) {
  volatile float sum = 0;
  for (int64_t i = 0; i < p->n.length; i++) sum = sum + p->powers[top - hwb_load(x, p->n.x_dtype, first + i)];
  return sum;
}

int hwb_softmax_float32_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                            hwb_stats *stats) {
  const hwb_runtime_softmax *p = op->parameters;
  const hwb_runtime_softmax_numbers *c = &p->n;
  (void)scratch;
  for (int64_t first = 0; first < n * c->rows * c->length; first += c->length) {
    int64_t top = largest_of(c, in[0], first);
    volatile float unit = sum_in_order(p, in[0], first, top) * (float)p->constant[0], inverse = 1.0f / unit;
    for (int64_t i = 0; i < c->length; i++) {
      volatile float t = p->powers[top - hwb_load(in[0], c->x_dtype, first + i)] * inverse;
      put(c, y, first + i, (int64_t)floor((double)t + 0.5), stats); /* t >= 0: ties away from zero */
    }
  }
  return HWB_OK;
}

int hwb_softmax_float64_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                            hwb_stats *stats) {
  const hwb_runtime_softmax *p = op->parameters;
  const hwb_runtime_softmax_numbers *c = &p->n;
  (void)scratch;
  for (int64_t first = 0; first < n * c->rows * c->length; first += c->length) {
    int64_t top = largest_of(c, in[0], first);
    double sum = sum_in_order(p, in[0], first, top);
    for (int64_t i = 0; i < c->length; i++) {
      double power = p->powers[top - hwb_load(in[0], c->x_dtype, first + i)];
      put(c, y, first + i, (int64_t)rint(power * p->constant[0] / sum), stats);
    }
  }
  return HWB_OK;
}
