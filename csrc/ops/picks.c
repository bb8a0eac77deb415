/* Rows read and written by indices that are known at run time only. */
#include <hwblocks/picks.h>
#include <string.h>

/* An index counted from the start, or −1 where it lies outside. */
static int64_t row_of(int64_t index, int64_t rows, int64_t from_end) {
  if (from_end && index < 0) index += rows;
  return index < 0 || index >= rows ? -1 : index;
}

int hwb_pick_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_pick *p = op->parameters;
  const hwb_pick_numbers *c = &p->n;
  const void *index = in[p->constant ? 0 : 1];
  size_t bytes = (size_t)c->width * hwb_size_of(c->dtype), plane = bytes * (size_t)c->rows;
  char *to = y;
  (void)scratch;
  (void)stats;
  for (int64_t o = 0; o < n * c->outer; o++)
    for (int64_t q = 0; q < c->planes; q++) {
      size_t part = (size_t)((p->constant ? o % c->outer : o) * c->planes + q);
      const char *from = (const char *)(p->constant ? p->constant : in[0]) + part * plane;
      for (int64_t i = 0; i < c->picks; i++, to += bytes) {
        int64_t row = row_of(hwb_load(index, c->index_dtype, o * c->picks + i), c->rows, c->from_end);
        if (row < 0) return HWB_BAD_INDEX;
        memcpy(to, from + (size_t)row * bytes, bytes);
      }
    }
  return HWB_OK;
}

int hwb_locate_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_locate *p = op->parameters;
  const hwb_locate_numbers *c = &p->n;
  size_t element = hwb_size_of(c->dtype), bytes = (size_t)c->width * element;
  (void)scratch;
  (void)stats;
  for (int64_t i = 0; i < n * c->count; i++) {
    int64_t at = i / c->count * c->x_count + p->base[i % c->count];
    for (int64_t k = 0; k < c->parts; k++) {
      int64_t row = row_of(hwb_load(in[1], c->index_dtype, i * c->parts + k), p->limits[k], c->from_end);
      if (row < 0) return HWB_BAD_INDEX;
      at += row * p->steps[k];
    }
    memcpy((char *)y + (size_t)i * bytes, (const char *)in[0] + (size_t)at * element, bytes);
  }
  return HWB_OK;
}

int hwb_write_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_write *p = op->parameters;
  const hwb_write_numbers *c = &p->n;
  const void *address = p->address ? NULL : in[1], *data = in[p->address ? 1 : 2];
  const uint8_t *enable = c->enabled ? in[p->address ? 2 : 3] : NULL;
  size_t bytes = (size_t)c->width * hwb_size_of(c->dtype);
  (void)scratch;
  memcpy(y, in[0], (size_t)(n * c->outer * c->rows) * bytes);
  for (int64_t o = 0; o < n * c->outer; o++)
    for (int64_t i = 0; i < c->ports; i++) {
      int64_t at = o * c->ports + i;
      int64_t row = address ? hwb_load(address, c->address_dtype, at) : p->address[at % (c->outer * c->ports)];
      if (row < 0 || row >= c->rows) return HWB_BAD_INDEX;
      if (enable && !enable[at]) continue;
      stats->outside += enable != NULL;
      memcpy((char *)y + (size_t)(o * c->rows + row) * bytes, (const char *)data + (size_t)at * bytes, bytes);
    }
  return HWB_OK;
}
