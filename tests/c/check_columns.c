/* Depthwise sums, rows laid side by side as columns, widening and offsets against plain loops, on exact buffers. */
#include "check.h"

enum { COLUMNS = HWB_TILE_COLUMNS };

static const int64_t lowest[] = {INT8_MIN, 0, INT16_MIN}, highest[] = {INT8_MAX, UINT8_MAX, INT16_MAX};

static void *codes(int64_t dtype, int64_t count) {
  void *x = exact((size_t)count * hwb_size_of(dtype));
  int extreme = draw(0, 2) == 0;
  for (int64_t i = 0; i < count; i++)
    hwb_store(x, dtype, i, !extreme ? draw(lowest[dtype], highest[dtype]) : draw(0, 1) ? lowest[dtype] : highest[dtype]);
  return x;
}

/* Rows that end exactly at the end of their buffers; a row of padding is one pixel. */
static hwb_side_by_side draw_rows(int64_t dtype, int64_t rows, int64_t width, int64_t pixels) {
  hwb_side_by_side from = {{NULL, NULL, NULL, NULL}, {0, 0, 0, 0}, dtype, pixels, width};
  for (int64_t r = 0; r < rows; r++) {
    from.step[r] = draw(0, 3) ? draw(width, width + 20) : 0;
    from.x[r] = codes(dtype, (pixels - 1) * from.step[r] + width);
  }
  return from;
}

static void free_rows(const hwb_side_by_side *from) {
  for (int i = 0; i < 4; i++) free((void *)(uintptr_t)from->x[i]);
}

static void check_columns_s16(const hwb_kernels *k, int64_t dtype, int64_t width, int64_t pixels) {
  hwb_side_by_side from = draw_rows(dtype, 2, width, pixels);
  int64_t step = 2 * COLUMNS * draw(1, 2);
  int16_t *y = exact((size_t)((pixels - 1) * step + 2 * COLUMNS) * 2);
  k->columns_s16(&from, y, step);
  for (int64_t i = 0; i < pixels; i++)
    for (int64_t c = 0; c < 2 * width; c++)
      expect_equal(y[i * step + c], hwb_load(from.x[c % 2], dtype, i * from.step[c % 2] + c / 2), "columns_s16", k->name);
  free(y);
  free_rows(&from);
}

static void check_columns_u8(const hwb_kernels *k, int64_t dtype, int64_t width, int64_t pixels) {
  hwb_side_by_side from = draw_rows(dtype, 4, width, pixels);
  int64_t step = 4 * COLUMNS * draw(1, 2), added = dtype == HWB_S8 ? 128 : 0;
  uint8_t *y = exact((size_t)((pixels - 1) * step + 4 * COLUMNS));
  k->columns_u8(&from, y, step);
  for (int64_t i = 0; i < pixels; i++)
    for (int64_t c = 0; c < 4 * width; c++)
      expect_equal(y[i * step + c], hwb_load(from.x[c % 4], dtype, i * from.step[c % 4] + c / 4) + added, "columns_u8", k->name);
  free(y);
  free_rows(&from);
}

/* Columns of `group` inputs for each of 16 channels, and what they hold: random, both lowest, highest by lowest. */
typedef struct {
  hwb_columns c;
  void *columns, *weights;
  int64_t *offsets;
  int64_t x_dtype, w_dtype, group;
} column_case;

static void *column_values(int64_t dtype, int64_t columns, int64_t group, int kind, int64_t low, int64_t high) {
  void *made = exact((size_t)columns * HWB_COLUMN_BYTES);
  for (int64_t i = 0; i < columns * COLUMNS * group; i++)
    hwb_store(made, dtype, i, kind == 0 ? draw(low, high) : kind == 1 ? low : high);
  return made;
}

/* `bytes`: four uint8 by int8, else two int16. Terms lie in any order, the last column ends the buffer. */
static void make_columns(column_case *c, int bytes, int64_t count, int64_t terms, int kind) {
  int64_t step = draw(1, 3), columns = (count - 1) * step + 2 * terms - 1;
  c->group = bytes ? 4 : 2, c->x_dtype = bytes ? HWB_U8 : HWB_S16, c->w_dtype = bytes ? HWB_S8 : HWB_S16;
  c->columns = column_values(c->x_dtype, columns, c->group, kind, bytes ? 0 : -255, 255);
  c->weights = column_values(c->w_dtype, terms, c->group, kind == 2 ? 1 : kind, -128, 127);
  c->offsets = exact((size_t)terms * 8);
  for (int64_t t = 0; t < terms; t++) c->offsets[t] = 2 * (terms - 1 - t) * HWB_COLUMN_BYTES;
  hwb_columns some = {c->columns, step * HWB_COLUMN_BYTES, count, c->offsets, terms, c->weights};
  c->c = some;
}

static int64_t column_sum(const column_case *c, int64_t position, int64_t channel) {
  int64_t sum = 0;
  for (int64_t t = 0; t < c->c.terms; t++) {
    const char *x = (const char *)c->columns + position * c->c.step + c->offsets[t];
    const char *w = (const char *)c->weights + t * HWB_COLUMN_BYTES;
    for (int64_t r = channel * c->group; r < (channel + 1) * c->group; r++)
      sum += hwb_load(x, c->x_dtype, r) * hwb_load(w, c->w_dtype, r);
  }
  return sum;
}

static void check_depthwise(const hwb_kernels *k, int bytes, int64_t count, int64_t terms, int kind) {
  column_case c;
  make_columns(&c, bytes, count, terms, kind);
  int32_t *sums = exact((size_t)(count * COLUMNS) * 4);
  if (bytes) k->depthwise_u8s8_s32(&c.c, sums);
  else k->depthwise_s16s16_s32(&c.c, sums);
  for (int64_t i = 0; i < count * COLUMNS; i++)
    expect_equal(sums[i], column_sum(&c, i / COLUMNS, i % COLUMNS), bytes ? "depthwise_u8s8_s32" : "depthwise_s16s16_s32", k->name);
  free(sums);
  free(c.columns);
  free(c.weights);
  free(c.offsets);
}

/* Inputs at any address that suits their type. */
static void check_widen(const hwb_kernels *k, int64_t dtype, int64_t n) {
  int64_t zero = dtype == HWB_S16 ? 0 : draw(lowest[dtype], highest[dtype]), skew = draw(0, 3);
  void *x = codes(dtype, n + skew);
  int16_t *y = exact((size_t)(n + skew) * 2);
  k->widen((const char *)x + (size_t)skew * hwb_size_of(dtype), dtype, zero, y + skew, n);
  for (int64_t i = skew; i < n + skew; i++) expect_equal(y[i], hwb_load(x, dtype, i) - zero, "widen", k->name);
  free(x);
  free(y);
}

static void check_offset(const hwb_kernels *k, int64_t dtype, int64_t n) {
  int64_t skew = draw(0, 3);
  void *x = codes(dtype, n + skew);
  uint8_t *y = exact((size_t)(n + skew));
  k->offset((const char *)x + skew, dtype, y + skew, n);
  for (int64_t i = skew; i < n + skew; i++) expect_equal(y[i], hwb_load(x, dtype, i) - lowest[dtype], "offset", k->name);
  free(x);
  free(y);
}

static void check_all(const hwb_kernels *k) {
  for (int64_t count = 1; count <= 40; count++)
    for (int64_t terms = 1; terms <= 25; terms += draw(1, 4))
      for (int kind = 0; kind < 3; kind++) {
        check_depthwise(k, 0, count, terms, kind);
        check_depthwise(k, 1, count, terms, kind);
      }
  for (int64_t dtype = HWB_S8; dtype <= HWB_S16; dtype++)
    for (int64_t width = 1; width <= COLUMNS; width++)
      for (int64_t pixels = 1; pixels <= 9; pixels++) {
        check_columns_s16(k, dtype, width, pixels);
        if (dtype != HWB_S16) check_columns_u8(k, dtype, width, pixels);
      }
  for (int64_t dtype = HWB_S8; dtype <= HWB_S16; dtype++)
    for (int64_t n = 0; n <= 70; n++) {
      check_widen(k, dtype, n);
      if (dtype != HWB_S16) check_offset(k, dtype, n);
    }
}

int main(void) { return on_every_isa(check_all); }
