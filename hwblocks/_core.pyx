# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The only binding to csrc: checks buffers, releases the GIL, calls, turns a status into an exception.

No arithmetic and no choices: numerics/kernels/binding.py decides what is bound.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memcpy, memset

ALIGN = 64
cdef size_t HUGE_PAGE = 1 << 21
COUNT_WORDS = sizeof(hwb_channel_counts) // sizeof(int64_t)


def isa_names():
    """Instruction sets that this machine runs, the slowest first."""
    names, i = [], 0
    while hwb_isa_name(i) != NULL:
        names.append(hwb_isa_name(i).decode())
        i += 1
    return names


def byte_products(str isa):
    """When an instruction set multiplies bytes faster than 16-bit words: a value of enum hwb_bytes."""
    cdef bytes name = isa.encode()
    cdef const hwb_kernels *kernels = hwb_kernels_of(name)
    return 0 if kernels == NULL else kernels.bytes


cdef class Constant:
    """A copy of an array at a 64-byte boundary, owned for as long as an op needs it."""

    cdef void *address
    cdef readonly Py_ssize_t size

    def __cinit__(self, const unsigned char[::1] data):
        self.size = data.shape[0]
        cdef size_t boundary = HUGE_PAGE if self.size >= 2 * HUGE_PAGE else ALIGN
        if posix_memalign(&self.address, boundary, self.size + 64) != 0:
            raise MemoryError(f"{self.size} bytes for constants")
        if boundary == HUGE_PAGE:
            hwb_prefer_huge_pages(self.address, self.size)
        if self.size:
            memcpy(self.address, &data[0], self.size)

    def __dealloc__(self):
        free(self.address)


cdef void *address_of(Constant constant) noexcept:
    return NULL if constant is None else constant.address


cdef class Addresses:
    """The addresses of constants, NULL for None."""

    cdef const void **first

    def __cinit__(self, tuple constants):
        self.first = <const void **>calloc(len(constants) + 1, sizeof(void *))
        if self.first == NULL:
            raise MemoryError("addresses of constants")
        cdef Py_ssize_t i
        for i in range(len(constants)):
            self.first[i] = address_of(constants[i])

    def __dealloc__(self):
        free(self.first)


def find_lines(const int64_t[::1] numbers, tuple constants, int64_t bound, const double[::1] slopes,
               int32_t[::1] shift, float[::1] slope, float[::1] offset, float[::1] below):
    """Lines of a cast, written to the last four; returns how many a channel needs, 0 for none. See lines.h."""
    cdef hwb_cast cast
    cdef hwb_lines lines
    cdef int64_t channels = slopes.shape[0], found
    if not shift.shape[0] == slope.shape[0] == offset.shape[0] == below.shape[0] == channels > 0:
        raise ValueError("arrays of lines: one entry per channel")
    if len(constants) != HWB_CAST_ARRAYS or <size_t>numbers.shape[0] * sizeof(int64_t) != sizeof(hwb_cast_numbers):
        raise ValueError(f"a cast of {numbers.shape[0]} numbers and {len(constants)} arrays")
    hwb_cast_fill(&cast, &numbers[0], Addresses(constants).first)
    lines.shift, lines.slope, lines.offset, lines.below = &shift[0], &slope[0], &offset[0], &below[0]
    with nogil:
        found = hwb_find_lines(&cast, channels, bound, &slopes[0], &lines)
    return found


cdef class Op:
    """A bound op: numbers, constants, the function that runs it, and the bytes of one sample that it reads and writes."""

    cdef hwb_op op
    cdef void *parameters
    cdef object keep
    cdef readonly tuple in_bytes
    cdef readonly tuple out_bytes
    cdef readonly int64_t counted  # output channels that the op can count one by one, 0 for none
    cdef readonly int64_t scratch_bytes  # memory that it needs while it runs

    def __cinit__(self, str isa, str family, const int64_t[::1] numbers, const int64_t[::1] cast, tuple constants,
                  tuple in_bytes, tuple out_bytes):
        cdef bytes name = isa.encode()
        self.op.kernels = hwb_kernels_of(name)
        if self.op.kernels == NULL:
            raise ValueError(f"instruction set {isa!r} is not available")
        cdef bytes which = family.encode()
        cdef const hwb_family *kind = hwb_family_of(which)
        if kind == NULL:
            raise ValueError(f"no family {family!r}")
        self.keep, self.in_bytes, self.out_bytes = constants, in_bytes, out_bytes
        self._fill(kind, numbers, cast, constants)
        self.op.run = kind.run
        self.op.scratch_bytes = kind.scratch_bytes(self.parameters) if kind.scratch_bytes != NULL else 0
        self.scratch_bytes = self.op.scratch_bytes
        self.counted = (<const int64_t *>(<const char *>self.parameters + kind.counted))[0] if kind.counted else 0

    def __dealloc__(self):
        free(self.parameters)

    cdef int _fill(self, const hwb_family *kind, const int64_t[::1] numbers, const int64_t[::1] cast,
                   tuple constants) except -1:
        """Parameters of the family's size, filled."""
        cdef hwb_needs needs = hwb_family_needs(kind)
        if (numbers.shape[0], cast.shape[0], len(constants)) != (needs.numbers, needs.end_numbers, needs.constants):
            raise ValueError(
                f"{kind.name.decode()}: {numbers.shape[0]} numbers, {cast.shape[0]} numbers of ends and {len(constants)} "
                f"constants given; {needs.numbers}, {needs.end_numbers} and {needs.constants} needed"
            )
        self.parameters = calloc(1, kind.bytes)
        if self.parameters == NULL:
            raise MemoryError("parameters of an op")
        self.op.parameters = self.parameters
        cdef const int64_t *ends = &cast[0] if cast.shape[0] else NULL
        hwb_family_fill(kind, self.parameters, &numbers[0], ends, Addresses(constants).first)
        return 0


cdef class Workspace:
    """Memory of one run at a time."""

    cdef void *memory
    cdef size_t size

    def __dealloc__(self):
        free(self.memory)

    cdef int reserve(self, size_t size) except -1:
        if size <= self.size:
            return 0
        free(self.memory)
        self.memory, self.size = NULL, 0
        if posix_memalign(&self.memory, 64, size) != 0:
            raise MemoryError(f"{size} bytes for a program's tensors")
        self.size = size
        return 0


cdef size_t lines(size_t bytes) noexcept nogil:
    """Bytes in whole cache lines."""
    return (bytes + 63) // 64 * 64


cdef class Bands:
    """The bands of a program's steps for a number of threads."""

    cdef hwb_band *memory
    cdef readonly int64_t count, threads
    cdef size_t scratch

    def __cinit__(self, Program program, int64_t threads, int64_t least):
        cdef int64_t i
        for i in range(program.count):
            self.count += hwb_bands_of(&program.steps[i], threads, least)
        self.threads = threads
        self.memory = <hwb_band *>calloc(max(self.count, 1), sizeof(hwb_band))
        if self.memory == NULL:
            raise MemoryError("bands of a program")
        hwb_bands_fill(self.memory, program.steps, program.count, threads, least)
        for i in range(self.count):
            self.scratch = max(self.scratch, self.memory[i].op.scratch_bytes)

    def __dealloc__(self):
        free(self.memory)


cdef class Program:
    """Ops one after the other: steps (op, input slots, output slot or slots), bytes and arena offset of each slot.

    An offset of −1 marks a tensor that the caller passes. One program may run in several threads at once.
    """

    cdef hwb_step *steps
    cdef int64_t count, slots
    cdef int64_t *slot_bytes
    cdef int64_t *offsets
    cdef list ops, outside, idle
    cdef dict banded  # bands of one sample, by (threads, least products)
    cdef set written
    cdef size_t scratch, arena
    cdef readonly int64_t tile  # samples that suit the ops' tiles: parts are best multiples of it

    def __cinit__(self, list steps, list slot_bytes, list arena_offsets):
        self.ops = [step[0] for step in steps]
        steps = [(op, inputs, out if isinstance(out, tuple) else (out,)) for op, inputs, out in steps]
        self.written = {slot for step in steps for slot in step[2]}
        self.outside = [slot for slot, offset in enumerate(arena_offsets) if offset < 0]
        self.count, self.slots, self.idle, self.banded = len(steps), len(slot_bytes), [], {}
        self.steps = <hwb_step *>calloc(max(self.count, 1), sizeof(hwb_step))
        self.slot_bytes = <int64_t *>calloc(2 * self.slots + 1, sizeof(int64_t))
        if self.steps == NULL or self.slot_bytes == NULL:
            raise MemoryError("steps of a program")
        self.offsets = self.slot_bytes + self.slots
        for i in range(self.slots):
            self.slot_bytes[i], self.offsets[i] = slot_bytes[i], arena_offsets[i]
        cdef Op op
        for i, (op, inputs, outputs) in enumerate(steps):
            if len(inputs) != len(op.in_bytes) or len(inputs) > HWB_MOST_INPUTS:
                raise ValueError(
                    f"step {i}: {len(inputs)} inputs given, {len(op.in_bytes)} needed, at most {HWB_MOST_INPUTS}"
                )
            if len(outputs) != len(op.out_bytes) or len(outputs) > HWB_MOST_OUTPUTS:
                raise ValueError(f"step {i}: {len(outputs)} outputs given, {len(op.out_bytes)} made")
            if not all(0 <= slot < len(slot_bytes) for slot in (*inputs, *outputs)):
                raise ValueError(f"step {i}: a slot is out of range")
            for slot, size in (*zip(inputs, op.in_bytes), *zip(outputs, op.out_bytes)):
                if slot_bytes[slot] != size:
                    raise ValueError(f"step {i}: slot {slot} holds {slot_bytes[slot]} bytes a sample, the op needs {size}")
            self.steps[i].op = &op.op
            self.steps[i].inputs = len(inputs)
            for j, slot in enumerate(inputs):
                self.steps[i].in_[j] = slot
            self.steps[i].out = outputs[0]
            self.steps[i].others = len(outputs) - 1
            for j, slot in enumerate(outputs[1:]):
                self.steps[i].other[j] = slot
            self.scratch = max(self.scratch, op.op.scratch_bytes)
        ends = [o + b for o, b in zip(arena_offsets, slot_bytes) if o >= 0]
        self.arena = max(ends, default=0)
        self.tile = hwb_samples_tile(self.steps, self.count)

    def __dealloc__(self):
        free(self.steps)
        free(self.slot_bytes)

    cdef Bands bands(self, int64_t threads, int64_t least):
        key = (threads, least)
        if key not in self.banded:
            self.banded[key] = Bands(self, threads, least)
        return self.banded[key]

    def prepare(self, dict externals, int64_t n, int64_t chunk, int64_t statistics, fixed=(), carried=(),
                int64_t threads=1, int64_t least=1, int64_t together=0, int64_t split=0):
        """A Call of n samples; externals holds a contiguous array of them for every slot outside the arena.

        chunk, least: samples of a part, at most and at least. threads: that take parts, more than 1 only without `fixed`.
        together: samples between two looks for Ctrl-C (0: a chunk). split: where n is 1, threads share out the output rows
        of steps in bands of at least so many products (0: they do not). fixed: slots whose arrays hold one chunk, the same
        for every part. carried: pairs of slots (from, to): what a part leaves in one is copied into the other, which must
        be fixed, before the next.
        """
        cdef Call call = Call.__new__(Call)
        call._begin(self, externals, n, chunk, statistics, fixed, carried, threads, least, together, split)
        return call

    def run(self, dict externals, int64_t n, int64_t chunk, int64_t statistics, list counts=None):
        """Run n samples at once; returns one list (saturated, outside, lowest, highest) for each step.

        counts: for each step None or an int64 array [its op's counted channels, COUNT_WORDS], which is filled.
        """
        if not 0 < n <= chunk:
            raise ValueError(f"{n} samples in a chunk of {chunk}")
        cdef Call call = Call.__new__(Call)
        call._begin(self, externals, n, chunk, statistics, (), (), 1, 1, 0, 0)
        if counts is not None:
            call.count_channels(counts)
        call.run(0, n)
        counted = call.counts()
        call.release()
        return counted


@cython.no_gc_clear  # the exported arrays are noted in the workspace, which must outlive them
cdef class Call:
    """A program with its arrays, made by Program.prepare: run(first, past) computes a range of their samples, counts() tells what was counted.

    It owns its memory, so calls of one program may run in several threads at once; one call is run by one thread (which
    others of the core's pool may join).
    """

    cdef Program program
    cdef Workspace space
    cdef Bands bands
    cdef int64_t n, together
    cdef hwb_samples samples
    cdef Py_buffer *views
    cdef int64_t viewed

    cdef int _begin(self, Program program, dict externals, int64_t n, int64_t chunk, int64_t statistics, fixed, carried,
                    int64_t threads, int64_t least, int64_t together, int64_t split) except -1:
        cdef int64_t most = min(n, chunk)
        if n < 1 or most < 1 or least < 1 or threads < 1:
            raise ValueError(f"{n} samples in parts of {least} to {chunk} on {threads} threads")
        if threads > 1 and (len(fixed) or len(carried)):
            raise ValueError("parts that share arrays run one after the other, on one thread")
        self.program, self.n, self.together = program, n, together or most
        self.samples.steps, self.samples.count, self.samples.slots = program.steps, program.count, program.slots
        self.samples.most, self.samples.least, self.samples.carried = most, min(least, most), len(carried)
        self.samples.threads = min(threads, HWB_MOST_THREADS, (n + self.samples.least - 1) // self.samples.least)
        if n == 1 and threads > 1 and split > 0:
            self._share(program.bands(min(threads, HWB_MOST_THREADS), split))
        self.space = program.idle.pop() if program.idle else Workspace()
        self._lay_out()
        for i, (source, target) in enumerate(carried):
            self.carries()[i] = hwb_carry(source, target, program.slot_bytes[target])
        for slot in program.outside:
            self._place(slot, externals.get(slot), slot in fixed)
        hwb_samples_reset(&self.samples, statistics)
        return 0

    def __dealloc__(self):
        self._let_go()

    cdef void _share(self, Bands bands) noexcept:
        """Let threads share the only sample, where there is anything to share."""
        if bands.count > self.program.count:
            self.bands, self.samples.threads = bands, bands.threads
            self.samples.bands, self.samples.band_count = bands.memory, bands.count

    cdef hwb_carry *carries(self) noexcept:
        return <hwb_carry *>self.samples.carries

    cdef hwb_place *places(self) noexcept:
        return <hwb_place *>self.samples.places

    cdef hwb_room *rooms(self) noexcept:
        return <hwb_room *>self.samples.rooms

    cdef int _lay_out(self) except -1:
        """Tables at the start of the memory, then a room for each thread."""
        cdef Program program = self.program
        cdef hwb_samples *s = &self.samples
        cdef size_t places = lines(s.slots * sizeof(hwb_place)), carries = lines(s.carried * sizeof(hwb_carry))
        cdef size_t views = lines(len(program.outside) * sizeof(Py_buffer)), rooms = lines(s.threads * sizeof(hwb_room))
        cdef size_t arena = lines(program.arena * s.most)
        cdef size_t scratch = lines((program.scratch if self.bands is None else self.bands.scratch) + 64)
        cdef size_t address = lines(s.slots * sizeof(void *)), stats = lines(s.count * sizeof(hwb_stats))
        self.space.reserve(places + carries + views + rooms + s.threads * (arena + scratch + address + stats))
        cdef char *at = <char *>self.space.memory
        s.places, s.carries = <hwb_place *>at, <hwb_carry *>(at + places)
        self.views, s.rooms = <Py_buffer *>(at + places + carries), <hwb_room *>(at + places + carries + views)
        at += places + carries + views + rooms
        cdef int64_t i
        for i in range(s.threads):
            self.rooms()[i].arena, self.rooms()[i].scratch = at, at + arena
            self.rooms()[i].address = <void **>(at + arena + scratch)
            self.rooms()[i].stats = <hwb_stats *>(at + arena + scratch + address)
            at += arena + scratch + address + stats
        for i in range(s.slots):
            self.places()[i].base, self.places()[i].step = NULL, program.offsets[i] * s.most
        return 0

    cdef int _place(self, Py_ssize_t slot, object array, bint fixed) except -1:
        """Set a slot's address and the bytes from one sample to the next; the array stays exported meanwhile."""
        if array is None:
            raise ValueError(f"slot {slot} needs an array")
        cdef Py_buffer *view = &self.views[self.viewed]
        PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS)
        self.viewed += 1
        if view.readonly and slot in self.program.written:
            raise ValueError(f"slot {slot}: the array of an output is read-only")
        cdef int64_t size = self.program.slot_bytes[slot]
        cdef int64_t needed = size * (self.samples.most if fixed else self.n)
        if view.len != needed:
            raise ValueError(f"slot {slot}: {view.len} bytes given, {needed} needed")
        self.places()[slot].base, self.places()[slot].step = <char *>view.buf, 0 if fixed else size
        return 0

    cdef void _let_go(self) noexcept:
        while self.viewed:
            self.viewed -= 1
            PyBuffer_Release(&self.views[self.viewed])

    def release(self):
        """Give arrays and memory back; the call cannot run any more, and its counts are gone."""
        self._let_go()
        if self.space is not None:
            self.program.idle.append(self.space)
        self.space = None

    def reset(self):
        """Forget what was counted."""
        self._check()
        hwb_samples_reset(&self.samples, self.rooms()[0].stats[0].level if self.program.count else 0)

    cdef int _check(self) except -1:
        if self.space is None:
            raise ValueError("a released call")
        return 0

    def count_channels(self, list counts):
        """Let steps count their channels: for each None, or an int64 array that stays alive and is filled by each part."""
        cdef int64_t i
        cdef int64_t[:, ::1] view
        if self.samples.threads > 1:
            raise ValueError("channels are counted on one thread")
        for i, array in enumerate(counts):
            if array is None:
                continue
            view = array
            if view.shape[0] != (<Op>self.program.ops[i]).counted or not view.shape[0] or view.shape[1] != COUNT_WORDS:
                raise ValueError(f"step {i}: counts of {view.shape[0]} channels of {view.shape[1]} words do not suit the op")
            self.rooms()[0].stats[i].channels = <hwb_channel_counts *>&view[0, 0]

    def run(self, int64_t first, int64_t past):
        """Samples first to past, without the GIL; Ctrl-C is seen now and then."""
        if not 0 <= first < past <= self.n:
            raise ValueError(f"samples {first} to {past} of {self.n}")
        self._check()
        cdef int status = 0
        cdef int64_t stop
        while first < past:
            stop = min(first + self.together, past)
            with nogil:
                status = hwb_samples_run(&self.samples, first, stop)
            if status == HWB_NAN:
                raise FloatingPointError("NaN cannot be quantized; clean the data")
            if status == HWB_BAD_INDEX:
                raise IndexError("an index reaches outside its axis")
            if status == HWB_ZERO_DIVISOR:
                raise ZeroDivisionError("a divisor is 0")
            if status != HWB_OK:
                raise RuntimeError(f"a kernel refused its arguments (status {status})")
            first = stop
            if first < past:
                PyErr_CheckSignals()

    def counts(self):
        """(saturated, outside, lowest, highest) of each step since the last reset."""
        self._check()
        cdef hwb_counts row
        cdef int64_t i
        made = []
        for i in range(self.program.count):
            row = hwb_samples_counted(&self.samples, i)
            made.append((row.saturated, row.outside, row.lowest, row.highest))
        return made

    def packed_counts(self):
        """counts() as int64 [steps, 4] in bytes, to be read when somebody asks."""
        self._check()
        cdef bytes made = PyBytes_FromStringAndSize(NULL, self.program.count * sizeof(hwb_counts))
        cdef hwb_counts *row = <hwb_counts *>PyBytes_AsString(made)
        cdef int64_t i
        for i in range(self.program.count):
            row[i] = hwb_samples_counted(&self.samples, i)
        return made


include "_core_planning.pxi"
