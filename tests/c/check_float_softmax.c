/* Softmax of floats and its logarithm against the C library's exponentials in double. */
#include "check.h"
#include <math.h>

static double wanted(const float *x, int64_t length, int64_t i, int logarithm, double beta) {
  double top = (double)x[0], sum = 0;
  for (int64_t j = 1; j < length; j++) top = fmax(top, (double)x[j]);
  for (int64_t j = 0; j < length; j++) sum += exp(beta * ((double)x[j] - top));
  return logarithm ? (double)x[i] - top - log(sum) : exp(beta * ((double)x[i] - top)) / sum;
}

static void check_rows(const hwb_kernels *k, int64_t length, int logarithm) {
  int64_t n = draw(1, 3), rows = draw(1, 3), count = n * rows * length;
  float *x = exact((size_t)count * 4), *y = exact((size_t)count * 4);
  double beta = logarithm ? 1 : (double)draw(1, 40) / 16;
  for (int64_t i = 0; i < count; i++) x[i] = (float)draw(-4000, 4000) / (draw(0, 1) ? 16 : 512);
  hwb_float_softmax p = {{rows, length, logarithm}, &beta};
  hwb_op op = {hwb_float_softmax_run, k, &p, 0};
  hwb_stats stats = fresh(1);
  const void *in[1] = {x};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < count; i++) {
    double right = wanted(x + i / length * length, length, i % length, logarithm, beta);
    int near = fabs((double)y[i] - right) <= fabs(right) * 0x1.001p-24 + 0x1p-149;
    expect(near, "softmax", k->name, (int64_t)((double)y[i] * 1e15), (int64_t)(right * 1e15));
  }
  x[draw(0, count - 1)] = draw(0, 1) ? NAN : INFINITY;
  op.run(&op, in, y, n, NULL, &stats);
  for (int64_t r = 0; r < n * rows; r++) {
    int bad = 0;
    for (int64_t i = 0; i < length; i++) bad |= !isfinite(x[r * length + i]);
    for (int64_t i = 0; i < length; i++) expect_equal(isnan(y[r * length + i]) != 0, bad, "NaN", k->name);
  }
  free(x), free(y);
}

static void check(const hwb_kernels *k) {
  const int64_t lengths[] = {1, 2, 10, 63, 64, 65, 300};
  for (int l = 0; l < 7; l++)
    for (int again = 0; again < 30; again++) check_rows(k, lengths[l], again % 2);
}

int main(void) { return on_every_isa(check); }
