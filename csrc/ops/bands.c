/* Bands of output rows: a convolution over some of its output rows is a convolution over fewer input rows. */
#include <hwblocks/bands.h>

/* Output rows first to past, and what they reach of the input: `rows` from row `from` on, below `above` rows of padding. */
typedef struct {
  int64_t first, past;
  int64_t from, rows, above;
  int64_t reach; /* rows from the first tap to the last, padding on both sides included */
} band_rows;

static band_rows rows_of(int64_t out_height, int64_t which, int64_t parts, int64_t stride, int64_t kernel,
                         int64_t pad_top, int64_t height) {
  band_rows b = {.first = which * out_height / parts, .past = (which + 1) * out_height / parts};
  int64_t start = b.first * stride - pad_top; /* of the first window, in rows of the input */
  b.reach = (b.past - b.first - 1) * stride + kernel;
  b.from = hwb_min(hwb_max(0, start), height);
  b.above = hwb_min(hwb_max(0, -start), b.reach);
  b.rows = hwb_max(0, hwb_min(height, start + b.reach) - b.from);
  return b;
}

static int64_t extent(int64_t kernel, int64_t dilation) { return (kernel - 1) * dilation + 1; }

static void conv_band(hwb_band *band, const hwb_conv *conv, int64_t which, int64_t parts) {
  const hwb_conv_numbers *n = &conv->n;
  band_rows b = rows_of(n->out_height, which, parts, n->stride_h, extent(n->kernel_h, n->dilation_h), n->pad_top, n->height);
  band->own.conv = *conv;
  band->op.parameters = &band->own.conv;
  hwb_conv_numbers *own = &band->own.conv.n;
  own->height = b.rows;
  own->out_height = b.past - b.first;
  own->pad_top = b.above;
  own->padded_height = b.reach;
  band->op.scratch_bytes = hwb_conv_scratch_bytes(&band->own.conv);
  band->from = b.from * n->width * n->channels * (int64_t)hwb_size_of(n->x_dtype);
  band->to = b.first * n->out_width * n->out_channels * (int64_t)hwb_size_of(conv->ends.cast.n.out_dtype);
}

static void depthwise_band(hwb_band *band, const hwb_depthwise *depthwise, int64_t which, int64_t parts) {
  const hwb_depthwise_numbers *n = &depthwise->n;
  band_rows b = rows_of(n->out_height, which, parts, n->stride_h, extent(n->kernel_h, n->dilation_h), n->pad_top, n->height);
  band->own.depthwise = *depthwise;
  band->op.parameters = &band->own.depthwise;
  hwb_depthwise_numbers *own = &band->own.depthwise.n;
  own->height = b.rows;
  own->out_height = b.past - b.first;
  own->pad_top = b.above;
  band->op.scratch_bytes = hwb_depthwise_scratch_bytes(&band->own.depthwise);
  int64_t pixel = n->channels * n->multiplier * (int64_t)hwb_size_of(depthwise->ends.cast.n.out_dtype);
  band->from = b.from * n->width * n->channels * (int64_t)hwb_size_of(n->x_dtype);
  band->to = b.first * n->out_width * pixel;
}

int64_t hwb_op_products(const hwb_op *op) {
  if (op->run == hwb_conv_run) {
    const hwb_conv_numbers *n = &((const hwb_conv *)op->parameters)->n;
    return n->out_height * n->out_width * n->out_channels * n->kernel_h * n->kernel_w * (n->channels / n->groups);
  }
  if (op->run == hwb_depthwise_run) {
    const hwb_depthwise_numbers *n = &((const hwb_depthwise *)op->parameters)->n;
    return HWB_DEPTHWISE_WEIGHT * n->out_height * n->out_width * n->channels * n->multiplier * n->kernel_h * n->kernel_w;
  }
  return 0;
}

/* Output rows that may be parted; those of a placement may not. */
static int64_t out_rows(const hwb_op *op) {
  if (op->run == hwb_conv_run) {
    const hwb_conv *conv = op->parameters;
    return conv->placement.starts ? 1 : conv->n.out_height;
  }
  if (op->run == hwb_depthwise_run) return ((const hwb_depthwise *)op->parameters)->n.out_height;
  return 1;
}

int64_t hwb_bands_of(const hwb_step *step, int64_t threads, int64_t least) {
  int64_t worth = hwb_op_products(step->op) / hwb_max(1, least);
  return hwb_max(1, hwb_min(hwb_min(threads, out_rows(step->op)), worth));
}

void hwb_bands_fill(hwb_band *bands, const hwb_step *steps, int64_t count, int64_t threads, int64_t least) {
  for (int64_t i = 0, before = 0; i < count; i++) {
    int64_t parts = hwb_bands_of(&steps[i], threads, least);
    for (int64_t j = 0; j < parts; j++) {
      hwb_band *band = &bands[before + j];
      *band = (hwb_band){.op = *steps[i].op, .step = i, .before = before};
      if (parts > 1 && steps[i].op->run == hwb_conv_run) conv_band(band, steps[i].op->parameters, j, parts);
      else if (parts > 1) depthwise_band(band, steps[i].op->parameters, j, parts);
    }
    before += parts;
  }
}
