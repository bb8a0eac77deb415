/* The logarithm of a softmax against the same tables read by plain 128-bit arithmetic, on exactly sized buffers. */
#include "check.h"
#include <hwblocks/log_softmax.h>

enum { ENTRIES = 1 << 16 };

static void check_rows(const hwb_kernels *k, int64_t dtype) {
  int64_t rows = draw(1, 3), length = draw(1, 40), n = draw(1, 2), size = rows * length, ln2 = 744261118;
  int64_t a = draw(1, 1 << 20), b = draw(1, 99), d = draw(1, 1LL << 40), factors[6] = {a, 0, b, 0, d, 0};
  int64_t *powers = exact(ENTRIES * 8), *logs = exact((HWB_LOG_STEPS + 1) * 8);
  for (int64_t i = 0; i < ENTRIES; i++) powers[i] = i ? draw(0, 1 << 30) : 1 << 30;
  for (int64_t i = 0; i <= HWB_LOG_STEPS; i++) logs[i] = i * (ln2 / HWB_LOG_STEPS) + draw(0, 99);
  hwb_cast_numbers end = {.rounding = draw(HWB_FLOOR, HWB_HALF_ODD), .zero_point = draw(-9, 9), .bits = 64, .is_signed = 1,
                          .lo = -9999, .hi = 9999, .clamp_lo = -9999, .clamp_hi = 9999, .out_dtype = HWB_S16};
  hwb_log_softmax p = {{end, dtype, rows, length, ln2}, powers, logs, factors};
  void *x = exact((size_t)(n * size) * hwb_size_of(dtype));
  for (int64_t i = 0; i < n * size; i++) hwb_store(x, dtype, i, draw(-100, 100));
  int16_t *y = exact((size_t)(n * size) * 2);
  const void *in[1] = {x};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_log_softmax_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t r = 0; r < n * rows; r++) {
    int64_t most = INT64_MIN, total = 0, e = 0;
    for (int64_t i = 0; i < length; i++) most = hwb_max(most, hwb_load(x, dtype, r * length + i));
    for (int64_t i = 0; i < length; i++) total += powers[most - hwb_load(x, dtype, r * length + i)];
    while ((hwb_int128)1 << (e + 1) <= total) e++;
    int64_t u = (int64_t)(((hwb_int128)total << 30) >> e) - (1 << 30), i = u / (1 << 21), rest = u % (1 << 21);
    int64_t log = (e - 30) * ln2 + logs[i] + (int64_t)floor_div((hwb_int128)(logs[i + 1] - logs[i]) * rest, 1 << 21);
    for (int64_t j = 0; j < length; j++) {
      int64_t below = hwb_load(x, dtype, r * length + j) - most;
      hwb_int128 v = hwb_round_ratio((hwb_int128)below * a - (hwb_int128)log * b, d, end.rounding) + end.zero_point;
      int64_t wanted = v < -9999 ? -9999 : v > 9999 ? 9999 : (int64_t)v;
      expect_equal(y[r * length + j], wanted, "log softmax", k->name);
    }
  }
  free(powers), free(logs), free(x), free(y);
}

static void check_log_softmax(const hwb_kernels *k) {
  for (int round = 0; round < 40; round++) check_rows(k, round % 2 ? HWB_S8 : HWB_S16);
}

int main(void) { return on_every_isa(check_log_softmax); }
