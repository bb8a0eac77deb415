/* Pooling over windows: maximum, exact average, average in float32. */
#include "rational.h"
#include <hwblocks/ops.h>
#include <math.h>

/* Taps of one axis that fall on the input: first and one past the last. */
static void inside(int64_t start, int64_t kernel, int64_t dilation, int64_t size, int64_t *first, int64_t *past) {
  *first = start < 0 ? (-start + dilation - 1) / dilation : 0;
  *past = size > start ? hwb_min(kernel, (size - start + dilation - 1) / dilation) : 0;
}

/* Element offset of tap (i, j) of output (h, w) within one sample. */
static int64_t at(const hwb_window *w, int64_t h0, int64_t w0, int64_t i, int64_t j) {
  return ((h0 + i * w->dilation_h) * w->width + w0 + j * w->dilation_w) * w->channels;
}

#define MAXIMUM(T)                                                                                                     \
  do {                                                                                                                 \
    const T *sample = (const T *)x + s * w->height * w->width * w->channels;                                           \
    T *out = (T *)y + ((s * w->out_height + oh) * w->out_width + ow) * w->channels;                                    \
    for (int64_t c = 0; c < w->channels; c++) out[c] = (T)p->lowest;                                                   \
    for (int64_t i = i0; i < i1; i++)                                                                                  \
      for (int64_t j = j0; j < j1; j++) {                                                                              \
        const T *tap = sample + at(w, h0, w0, i, j);                                                                   \
        for (int64_t c = 0; c < w->channels; c++) out[c] = tap[c] > out[c] ? tap[c] : out[c];                          \
      }                                                                                                                \
  } while (0)

static void maximum(const hwb_maxpool *p, const void *x, void *y, int64_t s, int64_t oh, int64_t ow) {
  const hwb_window *w = &p->w;
  int64_t h0 = oh * w->stride_h - w->pad_top, w0 = ow * w->stride_w - w->pad_left, i0, i1, j0, j1;
  inside(h0, w->kernel_h, w->dilation_h, w->height, &i0, &i1);
  inside(w0, w->kernel_w, w->dilation_w, w->width, &j0, &j1);
  switch (w->x_dtype) {
  case HWB_S8: MAXIMUM(int8_t); break;
  case HWB_U8: MAXIMUM(uint8_t); break;
  case HWB_S16: MAXIMUM(int16_t); break;
  case HWB_U16: MAXIMUM(uint16_t); break;
  case HWB_S32: MAXIMUM(int32_t); break;
  default: MAXIMUM(int64_t); break;
  }
}

int hwb_maxpool_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_maxpool *p = op->parameters;
  (void)scratch;
  (void)stats;
  for (int64_t s = 0; s < n; s++)
    for (int64_t oh = 0; oh < p->w.out_height; oh++)
      for (int64_t ow = 0; ow < p->w.out_width; ow++) maximum(p, in[0], y, s, oh, ow);
  return HWB_OK;
}

enum { TOGETHER = 64 }; /* channels summed side by side */

#define ADD_TAPS(T)                                                                                                    \
  do {                                                                                                                 \
    for (int64_t i = i0; i < i1; i++)                                                                                  \
      for (int64_t j = j0; j < j1; j++) {                                                                              \
        const T *tap = (const T *)x + base + at(w, h0, w0, i, j);                                                      \
        for (int64_t c = 0; c < width; c++) sums[c] += tap[c];                                                         \
      }                                                                                                                \
  } while (0)

/* Sums of `width` channels from element `base` of a sample's first pixel on, over the window of one output position. */
static void window_sums(const hwb_window *w, const void *x, int64_t base, int64_t width, int64_t oh, int64_t ow,
                        int64_t zero, int32_t *sums) {
  int64_t h0 = oh * w->stride_h - w->pad_top, w0 = ow * w->stride_w - w->pad_left, i0, i1, j0, j1;
  inside(h0, w->kernel_h, w->dilation_h, w->height, &i0, &i1);
  inside(w0, w->kernel_w, w->dilation_w, w->width, &j0, &j1);
  int32_t start = (int32_t)(-zero * hwb_max(0, i1 - i0) * hwb_max(0, j1 - j0));
  for (int64_t c = 0; c < width; c++) sums[c] = start;
  switch (w->x_dtype) {
  case HWB_S8: ADD_TAPS(int8_t); break;
  case HWB_U8: ADD_TAPS(uint8_t); break;
  case HWB_S16: ADD_TAPS(int16_t); break;
  default: ADD_TAPS(uint16_t); break;
  }
}

static void average(const hwb_avgpool *p, const void *x, void *y, int64_t s, int64_t oh, int64_t ow, hwb_stats *stats) {
  const hwb_window *w = &p->n.w;
  hwb_int128 num = hwb_two_words(p->ratio, 0);
  hwb_int128 den = hwb_two_words(p->ratio, 1) * p->counts[oh * w->out_width + ow];
  int64_t base = s * w->height * w->width * w->channels;
  int64_t out = ((s * w->out_height + oh) * w->out_width + ow) * w->channels;
  int32_t sums[TOGETHER];
  for (int64_t c = 0; c < w->channels; c += TOGETHER) {
    int64_t width = hwb_min(TOGETHER, w->channels - c);
    window_sums(w, x, base + c, width, oh, ow, p->n.x_zero, sums);
    for (int64_t j = 0; j < width; j++)
      hwb_store(y, p->n.end.out_dtype, out + c + j, hwb_ratio_code(&p->n.end, sums[j] * num, den, stats));
  }
}

int hwb_avgpool_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_avgpool *p = op->parameters;
  (void)scratch;
  for (int64_t s = 0; s < n; s++)
    for (int64_t oh = 0; oh < p->n.w.out_height; oh++)
      for (int64_t ow = 0; ow < p->n.w.out_width; ow++) average(p, in[0], y, s, oh, ow, stats);
  return HWB_OK;
}

/* Float average of one output position: taps added in window order, one rounding per step; padding adds nothing. */
static void float_average(const hwb_float_pool *p, const void *x, void *y, int64_t s, int64_t oh, int64_t ow,
                          hwb_stats *stats) {
  const hwb_window *w = &p->n.w;
  int64_t h0 = oh * w->stride_h - w->pad_top, w0 = ow * w->stride_w - w->pad_left, i0, i1, j0, j1;
  inside(h0, w->kernel_h, w->dilation_h, w->height, &i0, &i1);
  inside(w0, w->kernel_w, w->dilation_w, w->width, &j0, &j1);
  int64_t base = s * w->height * w->width * w->channels;
  int64_t out = ((s * w->out_height + oh) * w->out_width + ow) * w->channels;
  for (int64_t c = 0; c < w->channels; c++) {
    volatile float sum = 0;
    for (int64_t i = i0; i < i1; i++)
      for (int64_t j = j0; j < j1; j++)
        sum = sum + p->reals[hwb_load(x, w->x_dtype, base + at(w, h0, w0, i, j) + c) - p->n.lowest];
    volatile float mean = sum / p->divisors[oh * w->out_width + ow], code = mean / p->constant[0];
    code = code + p->constant[1];
    hwb_store(y, p->n.end.out_dtype, out + c, hwb_limited(&p->n.end, (int64_t)nearbyintf(code), stats));
  }
}

int hwb_float_pool_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_float_pool *p = op->parameters;
  (void)scratch;
  for (int64_t s = 0; s < n; s++)
    for (int64_t oh = 0; oh < p->n.w.out_height; oh++)
      for (int64_t ow = 0; ow < p->n.w.out_width; ow++) float_average(p, in[0], y, s, oh, ow, stats);
  return HWB_OK;
}
