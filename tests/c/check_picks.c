/* Rows read and written by index, gates, positions and rankings against plain loops, on exactly sized buffers. */
#include "check.h"
#include <hwblocks/picks.h>

static int16_t *drawn_codes(int64_t count, int64_t reach) {
  int16_t *codes = exact((size_t)count * 2);
  for (int64_t i = 0; i < count; i++) codes[i] = (int16_t)draw(-reach, reach);
  return codes;
}

static void check_pick(const hwb_kernels *k) {
  int64_t outer = draw(1, 3), planes = draw(1, 3), rows = draw(1, 5), width = draw(1, 4), picks = draw(1, 4), n = draw(1, 3);
  int64_t from_end = draw(0, 1), constant = draw(0, 1), count = n * outer * picks, plane = rows * width;
  int16_t *x = drawn_codes((constant ? 1 : n) * outer * planes * plane, 999), *y = exact((size_t)(count * planes * width) * 2);
  int32_t *index = exact((size_t)count * 4), outside = draw(0, 5) == 0;
  for (int64_t i = 0; i < count; i++) index[i] = (int32_t)draw(from_end ? -rows : 0, rows - 1);
  if (outside) index[draw(0, count - 1)] = (int32_t)(draw(0, 1) ? rows : -rows - 1);
  hwb_pick p = {{HWB_S16, outer, planes, rows, width, picks, HWB_S32, from_end}, constant ? x : NULL};
  const void *in[2] = {constant ? (void *)index : (void *)x, index};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_pick_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), outside ? HWB_BAD_INDEX : HWB_OK, "status", k->name);
  for (int64_t i = 0; i < count * planes * width && !outside; i++) {
    int64_t w = i % width, pick = i / width % picks, q = i / width / picks % planes, o = i / width / picks / planes;
    int64_t row = index[o * picks + pick], part = (constant ? o % outer : o) * planes + q;
    expect_equal(y[i], x[part * plane + (row < 0 ? row + rows : row) * width + w], "pick", k->name);
  }
  free(x), free(y), free(index);
}

static void check_place(const hwb_kernels *k) {
  int64_t limits[2] = {draw(1, 5), draw(1, 5)}, width = draw(1, 3), count = draw(1, 6), n = draw(1, 3), from_end = draw(0, 1);
  int64_t steps[2] = {limits[1] * width, width}, planes = 2, plane = limits[0] * steps[0], *base = exact((size_t)count * 8);
  int16_t *x = drawn_codes(n * planes * plane, 999), *y = exact((size_t)(n * count * width) * 2);
  int32_t *index = exact((size_t)(n * count) * 8), outside = draw(0, 5) == 0;
  for (int64_t i = 0; i < count; i++) base[i] = draw(0, 1) * plane;
  for (int64_t i = 0; i < 2 * n * count; i++) index[i] = (int32_t)draw(from_end ? -limits[i % 2] : 0, limits[i % 2] - 1);
  if (outside) index[1] = (int32_t)limits[1];
  hwb_locate p = {{HWB_S16, planes * plane, count, width, 2, HWB_S32, from_end}, base, limits, steps};
  const void *in[2] = {x, index};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_locate_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), outside ? HWB_BAD_INDEX : HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * count * width && !outside; i++) {
    int64_t o = i / width, a = index[2 * o], b = index[2 * o + 1];
    int64_t at = (a < 0 ? a + limits[0] : a) * limits[1] + (b < 0 ? b + limits[1] : b);
    expect_equal(y[i], x[o / count * planes * plane + base[o % count] + at * width + i % width], "place", k->name);
  }
  free(base), free(x), free(y), free(index);
}

static void check_write(const hwb_kernels *k) {
  int64_t outer = draw(1, 3), rows = draw(1, 5), width = draw(1, 4), ports = draw(1, 4), n = draw(1, 3), size = outer * rows * width;
  int64_t constant = draw(0, 1), enabled = draw(0, 1), count = n * outer * ports, active = 0;
  int16_t *x = drawn_codes(n * size, 999), *data = drawn_codes(count * width, 999), *y = exact((size_t)(n * size) * 2);
  int16_t *wanted = exact((size_t)(n * size) * 2);
  int64_t *address = exact((size_t)count * 8);
  uint8_t *enable = exact((size_t)count);
  memcpy(wanted, x, (size_t)(n * size) * 2);
  for (int64_t i = 0; i < count; i++) {
    address[i] = constant && i >= outer * ports ? address[i - outer * ports] : draw(0, rows - 1);
    enable[i] = (uint8_t)draw(0, 1);
    active += enabled && enable[i];
    for (int64_t w = 0; w < width && (!enabled || enable[i]); w++)
      wanted[(i / ports * rows + address[i]) * width + w] = data[i * width + w];
  }
  hwb_write p = {{HWB_S16, outer, rows, width, ports, HWB_S64, enabled}, constant ? address : NULL};
  const void *in[4] = {x, constant ? (void *)data : (void *)address, constant ? (void *)enable : (void *)data, enable};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_write_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * size; i++) expect_equal(y[i], wanted[i], "write", k->name);
  expect_equal(stats.outside, active, "active ports", k->name);
  free(x), free(data), free(y), free(wanted), free(address), free(enable);
}

static void check_gate(const hwb_kernels *k) {
  int64_t rows = draw(1, 3), length = draw(1, 9), n = draw(1, 3), size = rows * length, by_threshold = draw(0, 1);
  int64_t threshold = draw(-3, 3), average = draw(0, 1), masked = draw(0, 1), saturated = 0, active = 0;
  int64_t codes[10], counts[10];
  for (int64_t i = 0; i <= length; i++) codes[i] = i ? draw(0, 99) : 0, counts[i] = i && draw(0, 1);
  int16_t *x = drawn_codes(n * size, 4), *y = exact((size_t)(n * size) * 2);
  uint8_t *mask = exact((size_t)(n * size));
  for (int64_t i = 0; i < n * size; i++) mask[i] = (uint8_t)(!masked || draw(0, 1));
  hwb_gate p = {{HWB_S16, HWB_S16, rows, length, by_threshold, threshold, average, 0, 1, masked ? size : 0}, codes, counts, NULL, NULL};
  const void *in[2] = {x, mask};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_gate_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t r = 0; r < n * rows; r++) {
    int64_t open[9] = {0}, total = 0, best = -1, *gates = open;
    for (int64_t i = 0; i < length; i++) {
      int64_t at = r * length + i;
      if (mask[at] && (best < 0 || x[at] > x[r * length + best])) best = i;
      gates[i] = by_threshold && mask[at] && x[at] >= threshold;
    }
    if (!by_threshold && best >= 0) gates[best] = 1;
    for (int64_t i = 0; i < length; i++) total += gates[i];
    for (int64_t i = 0; i < length; i++) {
      int64_t entry = gates[i] ? (average ? total : 1) : 0;
      expect_equal(y[r * length + i], codes[entry], "gate", k->name);
      saturated += counts[entry], active += codes[entry] != 0;
    }
  }
  expect_equal(stats.saturated, saturated, "saturated gates", k->name);
  expect_equal(stats.outside, active, "open gates", k->name);
  free(x), free(y), free(mask);
}

/* Before another in the order of a ranking. */
static int before(const int16_t *x, int64_t a, int64_t b, int64_t step, int64_t largest) {
  if (x[a * step] != x[b * step]) return largest ? x[a * step] > x[b * step] : x[a * step] < x[b * step];
  return a < b;
}

static void check_ranks(const hwb_kernels *k) {
  int64_t outer = draw(1, 3), length = draw(1, 9), inner = draw(1, 3), n = draw(1, 3), largest = draw(0, 1), last = draw(0, 1);
  int64_t most = draw(1, length), rows = n * outer;
  int16_t *x = drawn_codes(rows * length * inner, 4), *values = exact((size_t)(rows * most * inner) * 2);
  int64_t *places = exact((size_t)(rows * most * inner) * 8), *found = exact((size_t)(rows * inner) * 8);
  hwb_position_numbers position = {HWB_S16, HWB_S64, outer, length, inner, largest, last};
  hwb_ranking_numbers ranking = {HWB_S16, HWB_S64, outer, length, inner, most, largest};
  const void *in[1] = {x};
  void *out[2] = {values, places}, *scratch = exact(hwb_ranking_scratch_bytes(&ranking));
  hwb_stats stats = fresh(1);
  hwb_op first = {hwb_position_run, k, &position, 0}, second = {hwb_ranking_run, k, &ranking, 0};
  expect_equal(first.run(&first, in, found, n, NULL, &stats), HWB_OK, "status", k->name);
  expect_equal(second.run(&second, in, out, n, scratch, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < rows * inner; i++) {
    const int16_t *from = x + i / inner * length * inner + i % inner;
    int64_t best = 0;
    for (int64_t a = 0; a < length; a++) {
      int64_t rank = 0;
      for (int64_t b = 0; b < length; b++) rank += before(from, b, a, inner, largest);
      if (from[a * inner] == from[best * inner] ? last && a > best : before(from, a, best, inner, largest)) best = a;
      if (rank >= most) continue;
      int64_t at = (i / inner * most + rank) * inner + i % inner;
      expect_equal(places[at], a, "place", k->name);
      expect_equal(values[at], from[a * inner], "value", k->name);
    }
    expect_equal(found[i], best, "position", k->name);
  }
  free(x), free(values), free(places), free(found), free(scratch);
}

static void check_picks(const hwb_kernels *k) {
  for (int round = 0; round < 150; round++) {
    check_pick(k);
    check_place(k);
    check_write(k);
    check_gate(k);
    check_ranks(k);
  }
}

int main(void) { return on_every_isa(check_picks); }
