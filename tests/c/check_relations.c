/* Two operands of unequal formats against formulas in 128 bits, on exactly sized buffers. */
#include "check.h"
#include <hwblocks/relations.h>

/* One operand: codes of a few samples with an index, or constants. */
typedef struct {
  int64_t dtype, zero, count, *index, *constant;
  void *codes;
} operand_case;

static operand_case draw_operand(int64_t outputs, int64_t samples, int constant) {
  operand_case o = {draw(HWB_S8, HWB_S32), draw(-9, 9), draw(1, outputs), NULL, NULL, NULL};
  o.index = exact((size_t)outputs * 8);
  o.codes = exact((size_t)(samples * o.count) * hwb_size_of(o.dtype));
  for (int64_t i = 0; i < outputs; i++) o.index[i] = draw(0, o.count - 1);
  for (int64_t i = 0; i < samples * o.count; i++) hwb_store(o.codes, o.dtype, i, draw(0, 127));
  if (!constant) return o;
  o.constant = exact((size_t)outputs * 8);
  for (int64_t i = 0; i < outputs; i++) o.constant[i] = draw(-99, 99);
  return o;
}

static int64_t value_of(const operand_case *o, int64_t sample, int64_t i) {
  if (o->constant) return o->constant[i];
  return hwb_load(o->codes, o->dtype, sample * o->count + o->index[i]) - o->zero;
}

static int64_t wanted(const hwb_relation *p, int64_t a, int64_t b, int64_t d) {
  int64_t mode = p->n.end.rounding, made;
  if (p->n.relation == HWB_EQUAL) return a == b;
  if (p->n.relation == HWB_NOT_EQUAL) return a != b;
  if (p->n.relation == HWB_LESS) return a < b;
  if (p->n.relation == HWB_LESS_EQUAL) return a <= b;
  if (p->n.relation == HWB_GREATER) return a > b;
  if (p->n.relation == HWB_GREATER_EQUAL) return a >= b;
  if (p->n.relation == HWB_BOTH) return a != 0 && b != 0;
  if (p->n.relation == HWB_EITHER) return a != 0 || b != 0;
  if (p->n.relation == HWB_ONE_OF) return (a != 0) + (b != 0) == 1;
  if (p->n.relation == HWB_QUOTIENT) made = (int64_t)hwb_round_ratio(b < 0 ? -a : a, b < 0 ? -b : b, mode);
  else made = (int64_t)hwb_round_ratio(p->n.relation == HWB_LARGER ? hwb_max(a, b) : hwb_min(a, b), d, mode);
  return hwb_min(hwb_max(made + p->n.end.zero_point, -500), 500);
}

static void check_relation(const hwb_kernels *k, int64_t relation) {
  int64_t count = draw(1, 50), n = draw(1, 3), constant = draw(0, 2), factors[6] = {draw(1, 40), 0, draw(1, 40), 0, draw(1, 40), 0};
  operand_case a = draw_operand(count, n, constant == 1), b = draw_operand(count, n, constant == 2);
  hwb_cast_numbers end = {.rounding = draw(HWB_FLOOR, HWB_HALF_ODD), .zero_point = draw(-9, 9), .bits = 64, .is_signed = 1,
                          .lo = -500, .hi = 500, .clamp_lo = -500, .clamp_hi = 500,
                          .out_dtype = relation > HWB_QUOTIENT ? HWB_U8 : HWB_S16};
  hwb_relation p = {{end, relation, count, a.dtype, a.zero, a.count, b.dtype, b.zero, b.count}, factors, a.index, b.index,
                       a.constant, b.constant};
  void *y = exact((size_t)(n * count) * hwb_size_of(end.out_dtype));
  const void *in[2] = {a.constant ? b.codes : a.codes, b.codes};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_relation_run, k, &p, 0};
  int status = op.run(&op, in, y, n, NULL, &stats), zero = 0;
  for (int64_t i = 0; i < n * count && !zero; i++) {
    int64_t left = value_of(&a, i / count, i % count) * factors[0], right = value_of(&b, i / count, i % count) * factors[2];
    zero = relation == HWB_QUOTIENT && right == 0;
    if (!zero) expect_equal(hwb_load(y, end.out_dtype, i), wanted(&p, left, right, factors[4]), "relation", k->name);
  }
  expect_equal(status, zero ? HWB_ZERO_DIVISOR : HWB_OK, "status", k->name);
  free(a.index), free(a.codes), free(a.constant), free(b.index), free(b.codes), free(b.constant), free(y);
}

static void check_relations(const hwb_kernels *k) {
  for (int round = 0; round < 40; round++)
    for (int64_t relation = HWB_LARGER; relation <= HWB_ONE_OF; relation++) check_relation(k, relation);
}

int main(void) { return on_every_isa(check_relations); }
