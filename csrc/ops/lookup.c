/* Table look-up, gather and split. */
#include <hwblocks/ops.h>
#include <string.h>

/* A loop for one pair of types; `low` is the lowest value of the input type. */
#define LOOK_UP(X, Y, low)                                                                                             \
  do {                                                                                                                 \
    const X *x = in[0];                                                                                                \
    const Y *entry = table->table;                                                                                     \
    Y *out = y;                                                                                                        \
    for (int64_t i = 0; i < total; i++) out[i] = entry[(int64_t)x[i] - (low)];                                         \
    return HWB_OK;                                                                                                     \
  } while (0)

int hwb_table_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_table *table = op->parameters;
  int64_t total = table->n.count * n;
  size_t bytes = hwb_size_of(table->n.out_dtype);
  (void)scratch;
  (void)stats;
  switch (table->n.x_dtype * 8 + (int64_t)bytes) {
  case HWB_S8 * 8 + 1: LOOK_UP(int8_t, int8_t, INT8_MIN);
  case HWB_S8 * 8 + 2: LOOK_UP(int8_t, int16_t, INT8_MIN);
  case HWB_S8 * 8 + 4: LOOK_UP(int8_t, int32_t, INT8_MIN);
  case HWB_U8 * 8 + 1: LOOK_UP(uint8_t, int8_t, 0);
  case HWB_U8 * 8 + 2: LOOK_UP(uint8_t, int16_t, 0);
  case HWB_U8 * 8 + 4: LOOK_UP(uint8_t, int32_t, 0);
  case HWB_S16 * 8 + 1: LOOK_UP(int16_t, int8_t, INT16_MIN);
  case HWB_S16 * 8 + 2: LOOK_UP(int16_t, int16_t, INT16_MIN);
  case HWB_S16 * 8 + 4: LOOK_UP(int16_t, int32_t, INT16_MIN);
  case HWB_U16 * 8 + 1: LOOK_UP(uint16_t, int8_t, 0);
  case HWB_U16 * 8 + 2: LOOK_UP(uint16_t, int16_t, 0);
  case HWB_U16 * 8 + 4: LOOK_UP(uint16_t, int32_t, 0);
  default: return HWB_BAD_ARGUMENT;
  }
}

#define GATHER(T)                                                                                                      \
  do {                                                                                                                 \
    T *out = (T *)y + s * g->n.count;                                                                                  \
    for (int64_t i = 0; i < g->n.entries; i++) {                                                                         \
      int32_t w = g->which[i];                                                                                         \
      out[i] = w < 0 ? (T)g->n.fill : ((const T *)in[w])[s * g->counts[w] + g->element[i]];                            \
    }                                                                                                                  \
  } while (0)

/* Runs of neighbours of one sample, copied or filled. */
static void gather_runs(const hwb_gather *g, const void *const *in, int64_t s, char *y) {
  int64_t size = (int64_t)hwb_size_of(g->n.dtype);
  for (int64_t i = 0; i < g->n.entries; y += g->lengths[i] * size, i++) {
    int32_t w = g->which[i];
    if (w < 0)
      for (int64_t j = 0; j < g->lengths[i]; j++) hwb_store(y, g->n.dtype, j, g->n.fill);
    else memcpy(y, (const char *)in[w] + (s * g->counts[w] + g->element[i]) * size, (size_t)(g->lengths[i] * size));
  }
}

int hwb_gather_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_gather *g = op->parameters;
  size_t bytes = hwb_size_of(g->n.dtype);
  (void)scratch;
  (void)stats;
  for (int64_t s = 0; s < n; s++) {
    if (g->lengths) gather_runs(g, in, s, (char *)y + s * g->n.count * (int64_t)bytes);
    else if (bytes == 1) GATHER(int8_t);
    else if (bytes == 2) GATHER(int16_t);
    else if (bytes == 4) GATHER(int32_t);
    else GATHER(int64_t);
  }
  return HWB_OK;
}

/* Output o of one sample, from its part of the maps. */
static void split_one(const hwb_split *p, const void *const *in, int64_t s, int64_t first, int64_t count, void *y) {
  for (int64_t i = 0; i < count; i++) {
    int32_t w = p->which[first + i];
    int64_t code = w < 0 ? p->n.fill : hwb_load(in[w], p->n.dtype, s * p->counts[w] + p->element[first + i]);
    hwb_store(y, p->n.dtype, s * count + i, code);
  }
}

int hwb_split_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_split *p = op->parameters;
  void *const *out = y;
  (void)scratch;
  (void)stats;
  for (int64_t s = 0; s < n; s++)
    for (int64_t o = 0, first = 0; o < p->n.outputs; first += p->out_counts[o], o++)
      split_one(p, in, s, first, p->out_counts[o], out[o]);
  return HWB_OK;
}
