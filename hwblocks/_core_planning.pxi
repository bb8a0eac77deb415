# Part of _core.pyx: what plans and prices before anything runs, arenas (arena.h) and replays (replay.h).

cdef int64_t ACCESSES_AT_ONCE = 1 << 23  # of a replay, between two looks for Ctrl-C


def replay(const int64_t[::1] numbers, const int32_t[::1] lane, const int32_t[::1] step, int32_t[::1] marks):
    """Words that a stream of addresses fetches. numbers: the fields of hwb_replay_numbers; marks: see replay.h."""
    cdef hwb_replay stream
    cdef hwb_replay_state state
    cdef int ended = 0
    if <size_t>numbers.shape[0] * sizeof(int64_t) != sizeof(hwb_replay_numbers):
        raise ValueError(f"a replay of {numbers.shape[0]} numbers")
    memcpy(&stream.n, &numbers[0], sizeof(hwb_replay_numbers))
    cdef size_t bytes = marks.shape[0] * sizeof(int32_t)
    if (lane.shape[0], step.shape[0]) != (stream.n.lanes, stream.n.steps) or bytes != hwb_replay_scratch_bytes(&stream):
        raise ValueError(f"arrays of a replay: {lane.shape[0]} lanes, {step.shape[0]} steps, {marks.shape[0]} marks")
    stream.lane, stream.step = &lane[0], &step[0]
    memset(&state, 0, sizeof(state))
    while not ended:
        with nogil:
            ended = hwb_replay_run(&stream, &state, &marks[0], ACCESSES_AT_ONCE)
        PyErr_CheckSignals()
    return state.fetched


cdef class Arena:
    """Buffers of an arena; see arena.h. Owns the memory in which it searches."""

    cdef hwb_arena arena
    cdef hwb_goal goal
    cdef object keep
    cdef int64_t *memory

    def __cinit__(self, const int64_t[::1] size, const int64_t[::1] first, const int64_t[::1] past,
                  const int64_t[::1] starts, const int64_t[::1] member_at, const int64_t[::1] member):
        cdef int64_t n = size.shape[0], sections = starts.shape[0] - 1
        if not (0 < n == first.shape[0] == past.shape[0] and 0 < sections == member_at.shape[0] - 1):
            raise ValueError(f"{n} buffers in {sections} sections")
        if member.shape[0] != member_at[sections] or not member.shape[0]:
            raise ValueError(f"{member.shape[0]} members, {member_at[sections]} needed")
        self.keep = (size, first, past, starts, member_at, member)
        self.arena = hwb_arena(n, sections, &size[0], &first[0], &past[0], &starts[0], &member_at[0], &member[0])

    def __dealloc__(self):
        free(self.memory)

    cdef int _check(self, Py_ssize_t count) except -1:
        if count != self.arena.buffers:
            raise ValueError(f"{count} entries for {self.arena.buffers} buffers")
        return 0

    def first_fit(self, const int64_t[::1] order, int64_t begin, int64_t end, int64_t[::1] by_offset, int64_t[::1] offset):
        """Place order[begin:end] beside what was placed before."""
        self._check(order.shape[0])
        self._check(by_offset.shape[0])
        self._check(offset.shape[0])
        if not 0 <= begin <= end <= self.arena.buffers:
            raise ValueError(f"turns {begin} to {end} of {self.arena.buffers}")
        with nogil:
            hwb_first_fit(&self.arena, &order[0], begin, end, &by_offset[0], &offset[0])

    def exchange(self, int64_t[::1] order, int64_t[::1] offset, int64_t rounds, int64_t wanted, uint64_t random):
        """Improve an order and its first fit; returns the bytes of the arena and the state of the random generator."""
        self._check(order.shape[0])
        self._check(offset.shape[0])
        cdef int64_t *scratch = <int64_t *>malloc(hwb_exchange_scratch_bytes(&self.arena))
        if scratch == NULL:
            raise MemoryError("scratch of an arena")
        cdef int64_t height
        with nogil:
            height = hwb_exchange(&self.arena, &order[0], &offset[0], rounds, wanted, &random, scratch)
        free(scratch)
        return height, random

    @property
    def search_bytes(self):
        """Bytes of memory that a search takes."""
        return hwb_search_scratch_bytes(&self.arena)

    def begin(self, int64_t capacity, int64_t choice, const int64_t[::1] rank):
        """Begin a search."""
        self._check(rank.shape[0])
        if self.memory == NULL:
            self.memory = <int64_t *>malloc(hwb_search_scratch_bytes(&self.arena))
        if self.memory == NULL:
            raise MemoryError(f"{self.search_bytes} bytes for a search")
        self.keep = (*self.keep[:6], rank)
        self.goal = hwb_goal(capacity, choice, &rank[0])
        hwb_search_begin(&self.arena, &self.goal, self.memory)

    def run(self, int64_t work):
        """Go on with the search: (what came of it, nodes, work so far)."""
        if self.memory == NULL:
            raise ValueError("no search was begun")
        cdef int64_t result
        with nogil:
            result = hwb_search_run(&self.arena, &self.goal, self.memory, work)
        return result, hwb_search_nodes(self.memory), hwb_search_work(self.memory)

    def offsets(self, int64_t[::1] offset):
        """Copy where the search placed the buffers."""
        self._check(offset.shape[0])
        if self.memory == NULL:
            raise ValueError("no search was begun")
        memcpy(&offset[0], hwb_search_offsets(self.memory), self.arena.buffers * sizeof(int64_t))
