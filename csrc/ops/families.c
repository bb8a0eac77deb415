/* The table of families; a new op is a line here. */
#include <hwblocks/families.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(void *) == sizeof(int64_t), "numbers and addresses follow each other without gaps");

#define SCRATCH(name, type, ends)                                                                                      \
  {#name, hwb_##name##_run, hwb_##name##_scratch_bytes, sizeof(type), sizeof(type##_numbers), ends, 0, 0}
#define COUNTED(name, type, channels)                                                                                  \
  {#name, hwb_##name##_run, hwb_##name##_scratch_bytes, sizeof(type), sizeof(type##_numbers), 1, 0, offsetof(type, channels)}
#define PLAIN(name, type, ends, operands)                                                                              \
  {#name, hwb_##name##_run, NULL, sizeof(type), sizeof(type##_numbers), ends, operands, 0}
#define NUMBERS(name, type) {#name, hwb_##name##_run, NULL, sizeof(type), sizeof(type), 0, 0, 0}

static const hwb_family families[] = {
    SCRATCH(conv, hwb_conv, 1),
    SCRATCH(depthwise, hwb_depthwise, 1),
    SCRATCH(weighted, hwb_weighted, 1),
    SCRATCH(matmul, hwb_matmul, 1),
    COUNTED(ordered, hwb_ordered, n.out_channels),
    COUNTED(ordered_matmul, hwb_ordered_matmul, n.sums.out_channels),
    SCRATCH(svdf, hwb_svdf, 3),
    SCRATCH(lstm, hwb_lstm, 2),
    PLAIN(elements, hwb_elements, 1, 2),
    PLAIN(float_sum, hwb_float_sum, 0, 2),
    PLAIN(pairs, hwb_pairs_op, 0, 0),
    PLAIN(rational, hwb_rational, 0, 0),
    PLAIN(reduce, hwb_reduce, 1, 0),
    NUMBERS(maxpool, hwb_maxpool),
    PLAIN(avgpool, hwb_avgpool, 0, 0),
    PLAIN(float_pool, hwb_float_pool, 0, 0),
    SCRATCH(norm, hwb_norm, 0),
    PLAIN(pick, hwb_pick, 0, 0),
    PLAIN(locate, hwb_locate, 0, 0),
    PLAIN(write, hwb_write, 0, 0),
    PLAIN(gate, hwb_gate, 0, 0),
    NUMBERS(position, hwb_position_numbers),
    {"ranking", hwb_ranking_run, hwb_ranking_scratch_bytes, sizeof(hwb_ranking_numbers), sizeof(hwb_ranking_numbers), 0, 0, 0},
    PLAIN(relation, hwb_relation, 0, 0),
    PLAIN(tap_sum, hwb_tap_sum, 0, 0),
    PLAIN(tap_extreme, hwb_tap_extreme, 0, 0),
    PLAIN(softmax, hwb_softmax, 0, 0),
    PLAIN(log_softmax, hwb_log_softmax, 0, 0),
    PLAIN(masked_softmax, hwb_masked_softmax, 0, 0),
    PLAIN(select, hwb_select, 0, 0),
    PLAIN(softmax_fixed, hwb_runtime_softmax, 0, 0),
    PLAIN(softmax_midpoint, hwb_runtime_softmax, 0, 0),
    PLAIN(softmax_float32, hwb_runtime_softmax, 0, 0),
    PLAIN(softmax_float64, hwb_runtime_softmax, 0, 0),
    PLAIN(float_softmax, hwb_float_softmax, 0, 0),
    PLAIN(table, hwb_table, 0, 0),
    PLAIN(threshold, hwb_threshold, 0, 0),
    NUMBERS(extreme, hwb_extreme_numbers),
    PLAIN(choice, hwb_choice, 0, 0),
    PLAIN(dequantize, hwb_dequantize, 0, 0),
    PLAIN(quantize, hwb_quantize, 0, 0),
    PLAIN(gather, hwb_gather, 0, 0),
    PLAIN(split, hwb_split, 0, 0),
};

const hwb_family *hwb_family_of(const char *name) {
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    if (strcmp(families[i].name, name) == 0) return &families[i];
  return NULL;
}

enum { END_ARRAYS = 2 * HWB_CAST_ARRAYS, OPERAND_ARRAYS = (sizeof(hwb_operand) - sizeof(hwb_operand_numbers)) / sizeof(void *) };

/* Addresses of the op's own constants, which end its parameters. */
static size_t own_constants(const hwb_family *f) {
  size_t others = f->numbers + f->ends * sizeof(hwb_ends) + f->operands * sizeof(hwb_operand);
  return (f->bytes - others) / sizeof(void *);
}

hwb_needs hwb_family_needs(const hwb_family *f) {
  size_t end = 1 + 2 * sizeof(hwb_cast_numbers) / sizeof(int64_t);
  hwb_needs needs;
  needs.numbers = (int64_t)((f->numbers + f->operands * sizeof(hwb_operand_numbers)) / sizeof(int64_t));
  needs.end_numbers = (int64_t)(f->ends * end);
  needs.constants = (int64_t)(f->ends * END_ARRAYS + f->operands * OPERAND_ARRAYS + own_constants(f));
  return needs;
}

/* Bytes at the front of what is still to be filled. */
static void put(char **at, const void *from, size_t bytes) {
  memcpy(*at, from, bytes);
  *at += bytes;
}

void hwb_cast_fill(hwb_cast *cast, const int64_t *numbers, const void *const *arrays) {
  char *at = (char *)cast;
  put(&at, numbers, sizeof(hwb_cast_numbers));
  put(&at, arrays, HWB_CAST_ARRAYS * sizeof(void *));
}

static void fill_end(hwb_ends *ends, const int64_t *numbers, const void *const *arrays) {
  ends->tail_start = numbers[0];
  hwb_cast_fill(&ends->cast, numbers + 1, arrays);
  hwb_cast_fill(&ends->tail, numbers + 1 + sizeof(hwb_cast_numbers) / sizeof(int64_t), arrays + HWB_CAST_ARRAYS);
}

void hwb_family_fill(const hwb_family *f, void *parameters, const int64_t *numbers, const int64_t *end_numbers,
                     const void *const *constants) {
  char *at = parameters;
  put(&at, numbers, f->numbers);
  numbers += f->numbers / sizeof(int64_t);
  for (size_t i = 0; i < f->ends; i++, at += sizeof(hwb_ends), constants += END_ARRAYS) {
    fill_end((hwb_ends *)(void *)at, end_numbers, constants);
    end_numbers += 1 + 2 * sizeof(hwb_cast_numbers) / sizeof(int64_t);
  }
  for (size_t i = 0; i < f->operands; i++, constants += OPERAND_ARRAYS) {
    put(&at, numbers, sizeof(hwb_operand_numbers));
    numbers += sizeof(hwb_operand_numbers) / sizeof(int64_t);
    put(&at, constants, OPERAND_ARRAYS * sizeof(void *));
  }
  put(&at, constants, own_constants(f) * sizeof(void *));
}
