/* Matrix products of two run-time operands: b is packed into panels for every sample, then tiles as for weights. */
#include "rows.h"
#include <hwblocks/ops.h>
#include <string.h>

static const int64_t no_offset[1] = {0};

static int64_t even(int64_t k) { return k + (k & 1); }

static size_t a_elements(const hwb_matmul_numbers *n) { return (size_t)(n->m * even(n->k)) + 2 * HWB_SLACK; }

static size_t panel_elements(const hwb_matmul_numbers *n) {
  return (size_t)((n->n + HWB_TILE_COLUMNS - 1) / HWB_TILE_COLUMNS * HWB_TILE_COLUMNS * even(n->k));
}

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t hwb_matmul_scratch_bytes(const void *parameters) {
  const hwb_matmul *matmul = parameters;
  const hwb_matmul_numbers *n = &matmul->n;
  return aligned(a_elements(n) * 2) + aligned(panel_elements(n) * 2) + sizeof(void *) * (size_t)(n->m + HWB_TILE_ROWS);
}

/* b [K, N] centred into panels of 16 columns with pairs of k interleaved. */
static void pack(const hwb_matmul_numbers *n, const void *b, int16_t *panels) {
  memset(panels, 0, panel_elements(n) * sizeof *panels);
  for (int64_t k = 0; k < n->k; k++)
    for (int64_t j = 0; j < n->n; j++) {
      int64_t panel = j / HWB_TILE_COLUMNS * HWB_TILE_COLUMNS * even(n->k);
      int64_t at = panel + (k / 2) * 2 * HWB_TILE_COLUMNS + 2 * (j % HWB_TILE_COLUMNS) + k % 2;
      panels[at] = (int16_t)(hwb_load(b, n->b_dtype, k * n->n + j) - n->b_zero);
    }
}

int hwb_matmul_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_matmul *matmul = op->parameters;
  const hwb_matmul_numbers *c = &matmul->n;
  size_t a_size = hwb_size_of(c->a_dtype), b_size = hwb_size_of(c->b_dtype), y_size = hwb_size_of(matmul->ends.cast.n.out_dtype);
  int16_t *a = scratch, *panels = (int16_t *)(void *)((char *)scratch + aligned(a_elements(c) * 2));
  const void **rows = (const void **)(void *)((char *)panels + aligned(panel_elements(c) * 2));
  memset(a, 0, a_elements(c) * 2);
  for (int64_t i = 0; i < c->m; i++) rows[i] = a + i * even(c->k);
  hwb_rows r = {op->kernels, &matmul->ends, no_offset, c->sums, 1, even(c->k) / 2, c->flush, 0, c->n, c->n, panels, 0};
  for (int64_t s = 0; s < n * c->batch; s++) {
    int64_t which = c->b_batch == 1 ? s / c->batch : s;
    if (c->b_batch != 1 || s % c->batch == 0) pack(c, (const char *)in[1] + (size_t)(which * c->k * c->n) * b_size, panels);
    for (int64_t i = 0; i < c->m; i++)
      op->kernels->widen((const char *)in[0] + (size_t)((s * c->m + i) * c->k) * a_size, c->a_dtype, c->a_zero,
                         a + i * even(c->k), c->k);
    hwb_rows_out(&r, rows, c->m, (char *)y + (size_t)(s * c->m * c->n) * y_size, stats);
  }
  return HWB_OK;
}
