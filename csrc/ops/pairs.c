/* Element-wise ops on two operands of 8-bit codes: the affine form by vectors, or a table of every pair. */
#include <hwblocks/ops.h>

static void by_table(const hwb_pairs_op *op, const uint8_t *a, const uint8_t *b, int64_t n, void *y, hwb_stats *stats) {
  const hwb_pairs_numbers *p = &op->n.p;
  uint8_t a_flip = p->a_dtype == HWB_S8 ? 0x80 : 0, b_flip = p->b_dtype == HWB_S8 ? 0x80 : 0;
  int64_t low = 0, high = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t v = op->table[(a[i] ^ a_flip) * 256 + (b[i] ^ b_flip)];
    low += v < p->lo;
    high += v > p->hi;
    ((uint8_t *)y)[i] = (uint8_t)hwb_max(p->clamp_lo, hwb_min(p->clamp_hi, v));
  }
  stats->saturated += low * p->counts_low + high * p->counts_high;
}

int hwb_pairs_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_pairs_op *p = op->parameters;
  int64_t count = n * p->n.count;
  const void *second = in[p->n.inputs - 1];
  (void)scratch;
  if (p->table) by_table(p, in[0], second, count, y, stats);
  else op->kernels->pairs(&p->n.p, in[0], second, count, y, stats);
  return HWB_OK;
}
