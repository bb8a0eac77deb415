/* Largest and smallest codes: over one run of axes, and of two operands element by element. Formats are equal. */
#include <hwblocks/ops.h>

#define KEEP(T, BETTER)                                                                                                \
  do {                                                                                                                 \
    const T *from = (const T *)x + (o * n->reduced * n->inner);                                                        \
    T *to = (T *)y + o * n->inner;                                                                                     \
    for (int64_t i = 0; i < n->inner; i++) to[i] = from[i];                                                            \
    for (int64_t r = 1; r < n->reduced; r++) {                                                                         \
      from += n->inner;                                                                                                \
      for (int64_t i = 0; i < n->inner; i++) to[i] = from[i] BETTER to[i] ? from[i] : to[i];                           \
    }                                                                                                                  \
  } while (0)

#define KEEP_OF_TYPE(BETTER)                                                                                           \
  do {                                                                                                                 \
    switch (n->dtype) {                                                                                                \
    case HWB_S8: KEEP(int8_t, BETTER); break;                                                                          \
    case HWB_U8: KEEP(uint8_t, BETTER); break;                                                                         \
    case HWB_S16: KEEP(int16_t, BETTER); break;                                                                        \
    case HWB_U16: KEEP(uint16_t, BETTER); break;                                                                       \
    case HWB_S32: KEEP(int32_t, BETTER); break;                                                                        \
    default: KEEP(int64_t, BETTER); break;                                                                             \
    }                                                                                                                  \
  } while (0)

int hwb_extreme_run(const hwb_op *op, const void *const *in, void *y, int64_t count, void *scratch, hwb_stats *stats) {
  const hwb_extreme_numbers *n = op->parameters;
  const void *x = in[0];
  (void)scratch;
  (void)stats;
  for (int64_t o = 0; o < count * n->outer; o++) {
    if (n->largest) KEEP_OF_TYPE(>);
    else KEEP_OF_TYPE(<);
  }
  return HWB_OK;
}

int hwb_choice_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_choice *p = op->parameters;
  (void)scratch;
  (void)stats;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0; i < p->n.count; i++) {
      int64_t a = hwb_load(in[0], p->n.dtype, s * p->n.a_count + (p->a_index ? p->a_index[i] : i)), b;
      if (p->constant) b = p->constant[i];
      else b = hwb_load(in[1], p->n.dtype, s * p->n.b_count + (p->b_index ? p->b_index[i] : i));
      int64_t code = p->n.largest ? hwb_max(a, b) : hwb_min(a, b);
      hwb_store(y, p->n.dtype, s * p->n.count + i, hwb_min(hwb_max(code, p->n.clamp_lo), p->n.clamp_hi));
    }
  return HWB_OK;
}
