/* Largest and smallest codes against plain comparison, at vector widths and the ends of the types. */
#include "check.h"

static const int64_t lowest[] = {INT8_MIN, 0, INT16_MIN, 0, INT32_MIN, -((int64_t)1 << 50)},
                     highest[] = {INT8_MAX, UINT8_MAX, INT16_MAX, UINT16_MAX, INT32_MAX, (int64_t)1 << 50};

static void *drawn(int64_t dtype, int64_t count) {
  void *x = exact((size_t)count * hwb_size_of(dtype));
  for (int64_t i = 0; i < count; i++)
    hwb_store(x, dtype, i, draw(0, 4) ? draw(0, 100) : draw(0, 1) ? lowest[dtype] : highest[dtype]);
  return x;
}

static int64_t better(int64_t largest, int64_t a, int64_t b) { return (a > b) == (largest != 0) ? a : b; }

static void check_axes(const hwb_kernels *k, int64_t dtype, int64_t inner) {
  int64_t n = draw(1, 2), outer = draw(1, 3), reduced = draw(1, 5), largest = draw(0, 1);
  void *x = drawn(dtype, n * outer * reduced * inner), *y = exact((size_t)(n * outer * inner) * hwb_size_of(dtype));
  hwb_extreme_numbers p = {dtype, outer, reduced, inner, largest};
  hwb_op op = {hwb_extreme_run, k, &p, 0};
  hwb_stats stats = fresh(0);
  const void *in[1] = {x};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t o = 0; o < n * outer; o++)
    for (int64_t i = 0; i < inner; i++) {
      int64_t best = hwb_load(x, dtype, o * reduced * inner + i);
      for (int64_t r = 1; r < reduced; r++) best = better(largest, best, hwb_load(x, dtype, (o * reduced + r) * inner + i));
      expect_equal(hwb_load(y, dtype, o * inner + i), best, "extreme", k->name);
    }
  free(x), free(y);
}

static void check_choice(const hwb_kernels *k, int64_t dtype, int64_t count, int fixed) {
  int64_t n = draw(1, 3), inputs = draw(1, count), largest = draw(0, 1), low = draw(0, 20), high = draw(20, 120);
  void *a = drawn(dtype, n * inputs), *b = drawn(dtype, n * count), *y = exact((size_t)(n * count) * hwb_size_of(dtype));
  int64_t *index = exact((size_t)count * 8), *constant = exact((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) index[i] = draw(0, inputs - 1), constant[i] = draw(0, 100);
  hwb_choice p = {{dtype, count, inputs, count, low, high, largest}, index, NULL, fixed ? constant : NULL};
  hwb_op op = {hwb_choice_run, k, &p, 0};
  hwb_stats stats = fresh(0);
  const void *in[2] = {a, b};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * count; i++) {
    int64_t second = fixed ? constant[i % count] : hwb_load(b, dtype, i);
    int64_t code = better(largest, hwb_load(a, dtype, i / count * inputs + index[i % count]), second);
    expect_equal(hwb_load(y, dtype, i), code < low ? low : code > high ? high : code, "choice", k->name);
  }
  free(a), free(b), free(y), free(index), free(constant);
}

static void check(const hwb_kernels *k) {
  const int64_t widths[] = {1, 7, 15, 16, 17, 65};
  for (int w = 0; w < 6; w++)
    for (int64_t dtype = HWB_S8; dtype <= HWB_S64; dtype++)
      for (int again = 0; again < 10; again++) {
        check_axes(k, dtype, widths[w]);
        check_choice(k, dtype, widths[w], again & 1);
      }
}

int main(void) { return on_every_isa(check); }
