/* Weighted sums over all rows of a sample: a depthwise convolution whose kernel covers its whole input. */
#include <hwblocks/ops.h>

static size_t sums_bytes(const hwb_weighted_numbers *n) {
  int64_t columns = (n->channels + HWB_TILE_COLUMNS - 1) / HWB_TILE_COLUMNS * HWB_TILE_COLUMNS;
  return (size_t)(columns + HWB_TILE_COLUMNS) * sizeof(int32_t); /* casts may read beyond */
}

size_t hwb_weighted_scratch_bytes(const void *parameters) {
  const hwb_weighted *weighted = parameters;
  return (sums_bytes(&weighted->n) + 63) / 64 * 64;
}

int hwb_weighted_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_weighted *p = op->parameters;
  int64_t x_bytes = p->n.terms * p->n.channels * (int64_t)hwb_size_of(p->n.x_dtype);
  int64_t y_bytes = p->n.channels * (int64_t)hwb_size_of(p->ends.cast.n.out_dtype);
  for (int64_t s = 0; s < n; s++) {
    hwb_weighted_rows rows = {(const char *)in[0] + s * x_bytes, p->n.x_dtype, p->n.terms, p->n.channels, p->weights};
    hwb_block block = {scratch, 0, 1, 0, p->n.channels, (char *)y + s * y_bytes, 0};
    op->kernels->weighted_s32(&rows, scratch);
    hwb_end_s32(op->kernels, &p->ends, &block, stats);
  }
  return HWB_OK;
}
