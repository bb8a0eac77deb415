/* Table softmax over the last axis. */
#include "rational.h"
#include <hwblocks/ops.h>

static void row(const hwb_softmax *p, const void *x, void *y, int64_t first, hwb_stats *stats) {
  const hwb_softmax_numbers *n = &p->n;
  int64_t largest = INT64_MIN, sum = 0;
  for (int64_t i = 0; i < n->length; i++) largest = hwb_max(largest, hwb_load(x, n->x_dtype, first + i));
  for (int64_t i = 0; i < n->length; i++) sum += p->table[largest - hwb_load(x, n->x_dtype, first + i)];
  hwb_int128 num = hwb_two_words(p->ratio, 0), den = hwb_two_words(p->ratio, 1) * sum;
  for (int64_t i = 0; i < n->length; i++) {
    int64_t power = p->table[largest - hwb_load(x, n->x_dtype, first + i)];
    hwb_store(y, n->end.out_dtype, first + i, hwb_ratio_code(&n->end, power * num, den, stats));
  }
}

int hwb_softmax_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_softmax *p = op->parameters;
  (void)scratch;
  for (int64_t r = 0; r < n * p->n.rows; r++) row(p, in[0], y, r * p->n.length, stats);
  return HWB_OK;
}
