// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.dmabuf.heap.linux.PlainSource.HEAP;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.FaultyMachine;
import org.dmabuf.heap.linux.PlainSource;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Random use of a source of memory, as by a broker, its clients and their peers, on a machine where any call can fail.
 * It checks every byte that it reads, and in the end that all descriptors, mappings, bytes and threads are released.
 *
 * <p>A run uses one thread, but the source's own threads make runs with the same seed differ a little. The property
 * {@code random.seed} replaces the seed, which is otherwise the time, and {@code random.operations} the number of 10
 * 000 operations. {@code JAVA_TOOL_OPTIONS} passes both to the guest.
 */
public final class RandomUse {
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int BUFFERS = 24;
    private static final int PEERS = 16;
    private static final int MOST_TRIES = 1000;
    private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(1);

    /** Logger of the expected warnings, which are not shown. */
    private static final Logger LOG = Logger.getLogger("org.dmabuf.heap.linux");

    /** Errors that, if they persist, mean that this process cannot get such memory from the kernel. */
    private static final Set<Errno> NOT_HERE = Set.of(Errno.ENOSYS, Errno.EPERM, Errno.EACCES);

    private static final Access[] ACCESSES = Access.values();

    /** Four of five requests have a mode that every heap supports. */
    private static final ExportMode[] MODES = {
        ExportMode.READ_WRITE, ExportMode.READ_WRITE, ExportMode.NONE, ExportMode.NONE, ExportMode.READ_ONLY
    };

    /** Largest size of a request, rounded down a little. */
    private static final long LARGEST = Long.MAX_VALUE - (64 << 10);

    /** Content of every byte of a buffer, for its owner and for each remaining peer. */
    private static final class Content {
        final long size;
        byte value;
        /** Number of peers; read by the thread that reports the end of the last holder. */
        final AtomicInteger peers = new AtomicInteger();

        Content(long size) {
            this.size = size;
        }
    }

    private record Mapping(MemorySegment memory, boolean writes) {}

    private static final class Owned {
        final HeapBuffer buffer;
        final HeapRequest request;
        final Content content;
        final List<Mapping> mappings = new ArrayList<>();
        HolderWatch watch;

        Owned(HeapBuffer buffer, HeapRequest request) {
            this.buffer = buffer;
            this.request = request;
            this.content = new Content(buffer.size());
        }
    }

    /** Peer with a descriptor or, when that is null, a mapping until an arena ends. */
    private record Peer(Content content, boolean writes, OwnedFd fd, MemorySegment mapping, Arena arena) {}

    private final long seed = Long.getLong("random.seed", System.nanoTime());
    private final int operations = Integer.getInteger("random.operations", 10_000);
    private final Random random = new Random(seed);
    private final FaultyMachine machine = new FaultyMachine(seed);
    private final Function<FaultyMachine, MemorySource> opening;
    private final long largest;

    private final HolderTracker watching = machine.watching();
    private final List<Owned> buffers = new ArrayList<>();
    private final List<Peer> peers = new ArrayList<>();
    private final Map<Errno, Integer> refusals = new TreeMap<>();
    private final AtomicInteger watched = new AtomicInteger();
    private final AtomicReference<String> early = new AtomicReference<>();
    private MemorySource source;
    private boolean closed;
    private int allocated;
    private byte last;

    /**
     * Makes the use of a source that is not open yet.
     *
     * @param largest bytes of the largest buffers, of which there may be some twenty
     * @param opening opens it, or is refused with nothing held
     */
    public RandomUse(long largest, Function<FaultyMachine, MemorySource> opening) {
        this.largest = largest;
        this.opening = opening;
    }

    /** Runs it, and prints a summary. */
    public void run(String what) {
        System.out.println(what + ": random.seed=" + seed);
        ProcessState before = ProcessState.now();
        Set<String> threads = threads();
        Level level = LOG.getLevel();
        LOG.setLevel(Level.OFF);
        try {
            source = open();
            use(what);
        } finally {
            LOG.setLevel(level);
        }
        await("every thread has ended", () -> threads.containsAll(threads()));
        awaitNothingLeft(before);
        System.out.println(what + ": " + operations + " operations, " + allocated + " buffers; refused " + refusals
                + "; failed " + machine.failed());
        assertTrue(allocated > operations / 20, allocated + " buffers");
        assertTrue(refusals.getOrDefault(Errno.ENOMEM, 0) > 0, "memory was never short");
    }

    private void use(String what) {
        int done = 0;
        try {
            for (; done < operations; done++) {
                machine.tick(random.nextLong(TimeUnit.MILLISECONDS.toNanos(20)));
                operate();
            }
            giveBackEverything();
        } catch (Throwable e) {
            throw new AssertionError(
                    what + ", random.seed=" + seed + ", operation " + done + " of " + operations + ": " + e, e);
        }
    }

    private MemorySource open() {
        HeapException refusal = null;
        for (int i = 0; i < MOST_TRIES; i++) {
            try {
                MemorySource opened = opening.apply(machine);
                closed = false;
                return opened;
            } catch (HeapException e) {
                note(e);
                refusal = e;
            }
        }
        assumeFalse(NOT_HERE.contains(refusal.errno()), "skipped: " + refusal.getMessage());
        throw new AssertionError("cannot be opened", refusal);
    }

    private void operate() {
        int one = random.nextInt(1000);
        if (one < 250) {
            allocate();
        } else if (one < 550) {
            pick(buffers, this::access);
        } else if (one < 650) {
            pick(buffers, this::export);
        } else if (one < 770) {
            pick(peers, this::look);
        } else if (one < 850) {
            pick(peers, this::leave);
        } else if (one < 980) {
            pick(buffers, this::release);
        } else if (one < 990) {
            check(source.usage());
        } else if (one < 996) {
            assertTrue(source.trim(random.nextLong(largest)) >= 0);
        } else if (one < 998) {
            machine.tick(TimeUnit.MINUTES.toNanos(random.nextInt(3))); // a time without requests
        } else {
            source.close(); // the buffers live on
            closed = true;
            attempt(() -> source.allocate(HeapRequest.of(Bytes.PAGE)).release());
            source = open();
        }
        if (early.get() != null) {
            throw new AssertionError(early.get());
        }
    }

    private interface Step<T> {
        void take(T one);
    }

    private <T> void pick(List<T> among, Step<T> step) {
        if (!among.isEmpty()) {
            step.take(among.get(random.nextInt(among.size())));
        }
    }

    /** {@return whether it was done, and not refused as it may be} */
    private boolean attempt(Runnable step) {
        try {
            step.run();
            return true;
        } catch (HeapException e) {
            note(e);
            return false;
        }
    }

    private void note(HeapException refusal) {
        assertEquals(Optional.of(HEAP), refusal.heap(), refusal.toString());
        assertTrue(refusal.getMessage().contains("'" + HEAP + "'"), refusal.getMessage());
        assertNotEquals(Errno.EINTR, refusal.errno(), refusal.getMessage()); // an interrupted operation is repeated
        assertTrue(closed || refusal.errno() != Errno.ENODEV, refusal.getMessage());
        refusals.merge(refusal.errno(), 1, Integer::sum);
    }

    private void allocate() {
        if (buffers.size() == BUFFERS) {
            release(buffers.get(random.nextInt(BUFFERS)));
        }
        HeapRequest request = request();
        attempt(() -> {
            Owned made = new Owned(source.allocate(request), request);
            buffers.add(made);
            allocated++;
            assertTrue(made.buffer.size() >= request.size(), () -> request + " has " + made.buffer.size());
        });
    }

    private HeapRequest request() {
        HeapRequest request = HeapRequest.of(size()).withExport(MODES[random.nextInt(MODES.length)]);
        request = switch (random.nextInt(20)) {
            case 0 -> request.withAlignment(Bytes.PAGE);
            case 1 -> request.withAlignment(2L << 20);
            case 2 -> request.withAlignment(1L << 40);
            default -> request;
        };
        return random.nextInt(20) == 0 ? request.withName("frame") : request;
    }

    private long size() {
        return switch (random.nextInt(60)) {
            case 0 -> LARGEST - random.nextLong(2 * Bytes.PAGE);
            case 1 -> 2 * FaultyMachine.ROOM;
            default ->
                random.nextInt(3) == 0
                        ? Bytes.PAGE << 4 * random.nextInt(2) // so often that pools have something to do
                        : 1 + random.nextLong(1 + (largest - 1 >> random.nextInt(10)));
        };
    }

    /**
     * Accesses the memory as a client does, through a mapping, during a CPU access. Some mappings stay and are reused.
     */
    private void access(Owned owned) {
        Access access = ACCESSES[random.nextInt(ACCESSES.length)];
        boolean anew = owned.mappings.isEmpty() || random.nextInt(4) == 0;
        if (anew && !attempt(() -> owned.mappings.add(new Mapping(owned.buffer.map(access), access.writes())))) {
            return;
        }
        Mapping mapping = owned.mappings.getLast();
        assertEquals(owned.content.size, mapping.memory.byteSize());
        if (attempt(() -> owned.buffer.beginCpuAccess(access))) {
            assertFilled(owned.content, mapping.memory, owned.request);
            if (access.writes() && mapping.writes) {
                owned.content.value = next();
                mapping.memory.fill(owned.content.value);
            }
            attempt(() -> owned.buffer.endCpuAccess(access));
        }
        if (random.nextInt(3) > 0) {
            owned.buffer.unmap(owned.mappings.removeLast().memory);
        }
    }

    /** Exports the buffer as a broker does, only if its holders can be tracked. */
    private void export(Owned owned) {
        if (owned.request.export() == ExportMode.NONE) {
            assertTrue(!attempt(owned.buffer::descriptor), "a descriptor of a buffer without export");
            return;
        }
        attempt(() -> {
            int fd = owned.buffer.descriptor();
            if (owned.watch == null) {
                owned.watch = watching.watch(HEAP, owned.content.size, fd);
                watched.incrementAndGet();
            }
            if (peers.size() == PEERS) {
                leave(peers.get(random.nextInt(PEERS)));
            }
            owned.content.peers.incrementAndGet();
            boolean writes = owned.request.export() == ExportMode.READ_WRITE;
            peers.add(peer(owned.content, writes ? Access.READ_WRITE : Access.READ, fd));
        });
    }

    private Peer peer(Content content, Access access, int fd) {
        OwnedFd own = OwnedFd.of(Syscalls.linux().fcntl(fd, F_DUPFD_CLOEXEC, 0), Syscalls.linux()::close);
        if (random.nextBoolean()) {
            Arena arena = Arena.ofConfined();
            try {
                MemorySegment mapping = new Mappings(Syscalls.linux()).map(own, content.size, access, arena);
                own.close();
                return new Peer(content, access.writes(), null, mapping, arena);
            } catch (HeapException e) {
                arena.close(); // the process may not lock this much secret memory
            }
        }
        return new Peer(content, access.writes(), own, null, null);
    }

    /** Checks the memory as a peer does, even after the release of the buffer. It must not have been reused. */
    private void look(Peer peer) {
        if (peer.mapping != null) {
            assertFilled(peer.content, peer.mapping, "memory of a peer");
            if (peer.writes) {
                peer.content.value = next();
                peer.mapping.fill(peer.content.value);
            }
        }
    }

    private void leave(Peer peer) {
        peers.remove(peer);
        look(peer);
        peer.content.peers.decrementAndGet(); // before the close, as the report may follow at once
        if (peer.fd != null) {
            peer.fd.close();
        } else {
            peer.arena.close();
        }
    }

    private void release(Owned owned) {
        buffers.remove(owned);
        owned.mappings.forEach(mapping -> owned.buffer.unmap(mapping.memory));
        owned.buffer.release();
        if (owned.watch != null) {
            Content content = owned.content;
            owned.watch.whenGone(() -> {
                if (content.peers.get() != 0) {
                    early.set("the end of the last holder of a buffer of " + content.size + " bytes was reported, but "
                            + content.peers.get() + " peers are left");
                }
                watched.decrementAndGet();
            });
        }
    }

    private static void check(HeapUsage usage) {
        long capacity = usage.capacity().orElse(Long.MAX_VALUE);
        for (OptionalLong part : List.of(usage.free(), usage.largestFree(), usage.quarantined())) {
            assertTrue(part.orElse(0) >= 0 && part.orElse(0) <= capacity, usage.toString());
        }
    }

    private void giveBackEverything() {
        machine.heal();
        List.copyOf(buffers).forEach(this::release);
        List.copyOf(peers).forEach(this::leave);
        await("every watch has ended", () -> watched.get() == 0);
        assertEquals(null, early.get());
        OptionalLong capacity = source.usage().capacity();
        if (capacity.isPresent()) {
            await("no range is quarantined", () -> source.usage().quarantined().orElse(0) == 0);
            takeAll(capacity.getAsLong());
            await("all is free", () -> source.usage().free().equals(capacity));
        }
        assertEquals(0, PlainSource.occupied(source));
        source.close();
        watching.close();
        machine.tick(TimeUnit.SECONDS.toNanos(1));
        assertEquals(FaultyMachine.ROOM, machine.headroom.available(), "remaining memory of the machine");
    }

    /** Allocates the whole capacity as one buffer. */
    private void takeAll(long capacity) {
        HeapBuffer all = source.allocate(HeapRequest.of(capacity).withExport(ExportMode.NONE));
        MemorySegment mapping = all.map(Access.READ_WRITE);
        assertFilled(new Content(capacity), mapping, "the whole capacity");
        all.unmap(mapping);
        all.release();
    }

    private byte next() {
        last = (byte) (last == -1 ? 1 : last + 1);
        return last;
    }

    private static void assertFilled(Content content, MemorySegment memory, Object what) {
        byte first = memory.get(ValueLayout.JAVA_BYTE, 0);
        // If the memory equals itself shifted by one byte, all bytes are equal.
        long size = memory.byteSize();
        long mismatch = MemorySegment.mismatch(memory, 1, size, memory, 0, size - 1);
        if (first != content.value || mismatch >= 0) {
            throw new AssertionError(what + ": " + first + " and not " + content.value + " in each of " + size
                    + " bytes" + (mismatch < 0 ? "" : ", and something else from byte " + (mismatch + 1)));
        }
    }

    private static Set<String> threads() {
        Set<String> names = new TreeSet<>();
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().startsWith("dmaheap-")) {
                names.add(thread.getName());
            }
        }
        return names;
    }

    private static void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + PATIENCE_NANOS;
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, what + " takes longer than a minute");
            Thread.onSpinWait();
        }
    }

    private static void awaitNothingLeft(ProcessState before) {
        long end = System.nanoTime() + PATIENCE_NANOS;
        while (System.nanoTime() < end && !before.leftIn(ProcessState.now()).isEmpty()) {
            Thread.onSpinWait();
        }
        before.assertNothingLeft();
    }
}
