/* Weighted sums over rows, and dot products of rows, against plain loops; buffers of the exact size. */
#include "ends.h"

enum { LANES = HWB_TILE_COLUMNS };

static int16_t *packed(const int16_t *w, int64_t terms, int64_t channels) {
  int64_t pairs = (terms + 1) / 2, blocks = (channels + LANES - 1) / LANES;
  int16_t *made = exact((size_t)(blocks * pairs * 2 * LANES) * 2);
  memset(made, 0, (size_t)(blocks * pairs * 2 * LANES) * 2);
  for (int64_t t = 0; t < terms; t++)
    for (int64_t c = 0; c < channels; c++)
      made[((c / LANES * pairs + t / 2) * LANES + c % LANES) * 2 + t % 2] = w[t * channels + c];
  return made;
}

static void check_op(const hwb_kernels *k) {
  int64_t terms = draw(1, 25), channels = draw(1, 50), n = draw(1, 4), dtype = draw(HWB_S8, HWB_S16);
  int64_t zero = dtype == HWB_S16 ? 0 : draw(-128, 127), steepest = dtype == HWB_S16 ? 90 : INT16_MAX;
  ends_case e;
  make_ends(&e, channels, 0);
  int16_t *w = exact((size_t)(terms * channels) * 2);
  for (int64_t i = 0; i < terms * channels; i++) w[i] = (int16_t)draw(-steepest - 1, steepest);
  int64_t *bias = exact((size_t)channels * 8);
  for (int64_t c = 0; c < channels; c++) {
    int64_t sum = 0;
    for (int64_t t = 0; t < terms; t++) sum += w[t * channels + c];
    bias[c] = e.bias[c];
    lower_bias(&e, c, zero * sum);
  }
  void *x = codes_of(dtype, n * terms * channels);
  hwb_weighted p = {{dtype, terms, channels}, e.ends, packed(w, terms, channels)};
  char *y = exact((size_t)(n * channels) * hwb_size_of(e.ends.cast.n.out_dtype)), *scratch = exact(hwb_weighted_scratch_bytes(&p));
  memset(scratch, 0, hwb_weighted_scratch_bytes(&p));
  hwb_op op = {hwb_weighted_run, k, &p, 0};
  hwb_stats stats = fresh(draw(0, 2));
  const void *in[1] = {x};
  expect_equal(op.run(&op, in, y, n, scratch, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * channels; i++) {
    int64_t c = i % channels, sum = bias[c];
    for (int64_t t = 0; t < terms; t++)
      sum += (hwb_load(x, dtype, (i / channels * terms + t) * channels + c) - zero) * w[t * channels + c];
    expect_equal(hwb_load(y, e.ends.cast.n.out_dtype, i), ended(&e, sum, c), "weighted", k->name);
  }
  free(w), free(bias), free(x), free((void *)(uintptr_t)p.weights), free(y), free(scratch), free_ends(&e);
}

static void check_dots(const hwb_kernels *k) {
  int64_t length = draw(1, 40), count = draw(1, 20), total = length * count;
  int16_t *a = exact((size_t)total * 2), *b = exact((size_t)total * 2);
  int64_t *sums = exact((size_t)count * 8), ends = draw(0, 1);
  for (int64_t i = 0; i < total; i++) {
    a[i] = (int16_t)(ends ? INT16_MIN : draw(INT16_MIN, INT16_MAX));
    b[i] = (int16_t)(ends ? -INT16_MAX : draw(-INT16_MAX, INT16_MAX));
  }
  k->dots_s16s16_s64(a, b, length, count, sums);
  for (int64_t i = 0; i < count; i++) {
    int64_t sum = 0;
    for (int64_t j = 0; j < length; j++) sum += (int64_t)a[i * length + j] * b[i * length + j];
    expect_equal(sums[i], sum, "dot", k->name);
  }
  free(a), free(b), free(sums);
}

static void check(const hwb_kernels *k) {
  for (int again = 0; again < 400; again++) check_op(k), check_dots(k);
}

int main(void) { return on_every_isa(check); }
