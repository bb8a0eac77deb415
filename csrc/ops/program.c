/* Programs: ops one after the other on the same samples. */
#include <hwblocks/ops.h>

int hwb_program_run(const hwb_step *steps, int64_t count, void *const *slots, int64_t n, void *scratch,
                    hwb_stats *stats) {
  for (int64_t i = 0; i < count; i++) {
    const void *in[HWB_MOST_INPUTS];
    for (int32_t j = 0; j < steps[i].inputs; j++) in[j] = slots[steps[i].in[j]];
    void *outputs[HWB_MOST_OUTPUTS] = {slots[steps[i].out]};
    for (int32_t j = 0; j < steps[i].others; j++) outputs[j + 1] = slots[steps[i].other[j]];
    void *y = steps[i].others ? (void *)outputs : outputs[0];
    int status = steps[i].op->run(steps[i].op, in, y, n, scratch, &stats[i]);
    if (status != HWB_OK) return status;
  }
  return HWB_OK;
}
