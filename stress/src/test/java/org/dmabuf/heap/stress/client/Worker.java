// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.client;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.stress.Tally;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/** One thread of a client. Each result must be one that the interfaces permit; otherwise the soak fails. */
final class Worker implements Runnable {
    private static final int MOST_HELD = 24;
    private static final int MOST_MAPPINGS = 12;
    private static final int MOST_OTHERS = 8;
    private static final int MOST_PEERS = 6;
    private static final int LARGEST_BITS = 23;
    private static final long FORGETTABLE = 64 << 10;
    private static final Duration HAND_OVER = Duration.ofSeconds(20);
    /** Errors that a heap of the soak or any heap may return. */
    private static final Set<Errno> REFUSALS = EnumSet.of(Errno.ENOMEM, Errno.ENODEV, Errno.EIO, Errno.EACCES);

    /** A mapping that outlives its reference. The arena is null if it is automatic. */
    private record Mapping(Arena arena, MemorySegment memory, Pattern pattern) {}

    /** A descriptor as another process might have it, with the content of the memory. */
    private record Peer(OwnedFd fd, Pattern pattern, long size) {}

    private interface Operation {
        void run() throws IOException, InvalidSyntaxException;
    }

    private record Weighted(int weight, String name, Operation operation) {}

    private final BundleContext context;
    private final String bundle;
    private final Tally tally;
    private final Random random;
    private final AtomicReferenceArray<Held> common;
    private final BooleanSupplier ended;
    private final Path socket;

    private final List<Held> held = new ArrayList<>();
    private final List<Mapping> mappings = new ArrayList<>();
    private final List<Peer> peers = new ArrayList<>();
    private final List<Runnable> others = new ArrayList<>();
    private final List<Weighted> operations = List.of(
            new Weighted(20, "allocate", this::allocate),
            new Weighted(14, "close", this::close),
            new Weighted(12, "map", this::map),
            new Weighted(8, "end a mapping", this::endMapping),
            new Weighted(8, "CPU access", this::access),
            new Weighted(8, "export", this::export),
            new Weighted(6, "duplicate", this::duplicate),
            new Weighted(4, "hand over", this::handOver),
            new Weighted(4, "leave to a peer", this::leaveToPeer),
            new Weighted(3, "end a peer", this::endPeer),
            new Weighted(4, "publish", this::publish),
            new Weighted(6, "look up", this::lookUp),
            new Weighted(5, "end another thing", this::endOther),
            new Weighted(2, "forget", this::forget),
            new Weighted(6, "share in the bundle", this::share),
            new Weighted(8, "use what is shared", this::useShared),
            new Weighted(1, "list", this::list));
    private final int weights = operations.stream().mapToInt(Weighted::weight).sum();

    private volatile String doing = "nothing yet";
    /** The broker's life at the begin of this operation. */
    private int life;

    Worker(BundleContext context, Tally tally, AtomicReferenceArray<Held> common, int number, BooleanSupplier ended) {
        this.context = context;
        this.bundle = context.getBundle().getSymbolicName();
        this.tally = tally;
        this.random = tally.random();
        this.common = common;
        this.ended = ended;
        this.socket = Path.of(System.getProperty("java.io.tmpdir"))
                .resolve("soak-" + ProcessHandle.current().pid() + "-" + bundle + "-" + number);
    }

    String doing() {
        return doing;
    }

    @Override
    public void run() {
        while (!ended.getAsBoolean()) {
            attempt(pick());
        }
        if (tally.over()) {
            while (!held.isEmpty()) {
                attempt(new Weighted(0, "close", this::close));
            }
            while (!others.isEmpty()) {
                attempt(new Weighted(0, "end another thing", this::endOther));
            }
            for (int i = 0; i < common.length(); i++) {
                Held last = common.getAndSet(i, null);
                if (last != null) {
                    last.buffer().close();
                }
            }
            endWhatIsNotTheBrokers();
        } else {
            held.forEach(left -> tally.forgets()); // the garbage collector may find it before the broker takes it back
        }
    }

    /**
     * Ends the resources that only this bundle can end: arenas, and descriptors that peers have. The bundle may have
     * stopped by then, so that the reaper does the work.
     */
    void endWhatIsNotTheBrokers() {
        while (!peers.isEmpty()) {
            attempt(new Weighted(0, "end a peer", this::endPeer));
        }
        while (!mappings.isEmpty()) {
            attempt(new Weighted(0, "end a mapping", this::endMapping));
        }
    }

    private Weighted pick() {
        int at = random.nextInt(weights);
        for (Weighted each : operations) {
            at -= each.weight();
            if (at < 0) {
                return each;
            }
        }
        throw new AssertionError();
    }

    private void attempt(Weighted what) {
        doing = what.name();
        life = tally.brokerLife();
        try {
            what.operation().run();
            tally.did(what.name());
        } catch (HeapException e) {
            tally.refused(what.name(), e.errno().toString());
            if (!REFUSALS.contains(e.errno())) {
                fail(what, e);
            }
        } catch (IllegalStateException e) {
            tally.refused(what.name(), "closed");
            if (!brokerChanged()) {
                fail(what, e);
            }
        } catch (IOException | InvalidSyntaxException | RuntimeException | Error e) {
            fail(what, e);
        }
        held.removeIf(this::endedWithItsBroker);
    }

    /**
     * Returns whether a buffer may have ended with its broker. It is closed then, because it may also belong to the
     * broker that has just started.
     */
    private boolean endedWithItsBroker(Held one) {
        if (one.brokerLife() == tally.brokerLife()) {
            return false;
        }
        one.buffer().close();
        return true;
    }

    private void fail(Weighted what, Throwable e) {
        tally.fail(bundle + ", " + what.name(), e);
    }

    private boolean brokerChanged() {
        return (life & 1) == 1 || life != tally.brokerLife();
    }

    private HeapBroker broker() {
        ServiceReference<HeapBroker> service = context.getServiceReference(HeapBroker.class);
        HeapBroker broker = service == null ? null : context.getService(service);
        if (broker == null) {
            LockSupport.parkNanos(1_000_000); // it is being restarted
            throw new IllegalStateException("the broker is not registered");
        }
        return broker;
    }

    private void allocate() {
        if (held.size() >= MOST_HELD) {
            close();
            return;
        }
        long size = 1L + (random.nextLong() & (1L << random.nextInt(LARGEST_BITS + 1)) - 1);
        AllocationRequest request = AllocationRequest.of(size);
        switch (random.nextInt(5)) {
            case 0 -> request = request.withHeaps("system");
            case 1 -> request = request.withHeaps("faulty-" + random.nextInt(3), "acme", "system");
            case 2 -> request = request.withMask(random.nextLong());
            case 3 ->
                request = request.withRequirement(random.nextBoolean() ? "(heap.type=faulty)" : "(heap.backend=memfd)");
            default -> {} // the first thread wins
        }
        boolean exportable = random.nextInt(8) > 0;
        boolean writable = !exportable || random.nextInt(8) > 0;
        request = exportable
                ? request.withExport(writable ? ExportMode.READ_WRITE : ExportMode.READ_ONLY)
                : request.withExport(ExportMode.NONE);
        DmaBuf buffer = broker().allocate(request.withName(bundle.substring(bundle.length() - 1) + held.size()));
        Pattern pattern = Pattern.ZEROES;
        try (Arena arena = Arena.ofConfined()) {
            require(buffer.size() >= size, buffer + " for one of " + size + " bytes");
            MemorySegment memory = buffer.map(Access.READ_WRITE, arena);
            pattern.check(memory, "a new buffer");
            Pattern written = new Pattern(random.nextLong() | 1);
            written.fill(memory);
            pattern = written;
        } finally {
            held.add(new Held(buffer, pattern, true, exportable, life));
        }
    }

    private void close() {
        Held one = take();
        if (one != null) {
            try {
                if (random.nextInt(4) == 0) {
                    checkMapped(one);
                }
            } finally {
                one.buffer().close();
            }
            if (random.nextInt(8) == 0) {
                one.buffer().close();
            }
        }
    }

    private void map() {
        Held one = any();
        if (one == null) {
            return;
        }
        if (mappings.size() >= MOST_MAPPINGS) {
            endMapping();
        }
        Access access = one.writable() && random.nextBoolean() ? Access.READ_WRITE : Access.READ;
        Arena arena = switch (random.nextInt(4)) {
            case 0, 1 -> null;
            default -> Arena.ofShared();
        };
        boolean kept = false;
        try {
            Arena used = arena == null ? Arena.ofAuto() : arena;
            MemorySegment memory = one.buffer().map(access, used);
            require(memory.byteSize() == one.buffer().size(), "mapped " + memory);
            one.pattern().check(memory, "a mapping");
            require(memory.isReadOnly() == (access == Access.READ), "mapped for " + access + ": " + memory);
            mappings.add(new Mapping(arena, memory, one.pattern()));
            kept = true;
        } finally {
            if (!kept && arena != null) {
                arena.close();
            }
        }
    }

    private void endMapping() {
        if (!mappings.isEmpty()) {
            Mapping mapping = mappings.remove(random.nextInt(mappings.size()));
            try {
                mapping.pattern().check(mapping.memory(), "a mapping");
            } finally {
                if (mapping.arena() != null) {
                    mapping.arena().close();
                }
            }
        }
    }

    private void access() {
        Held one = any();
        if (one == null) {
            return;
        }
        Access access = Access.values()[random.nextInt(3)];
        CpuAccess bracket = one.buffer().beginCpuAccess(access);
        if (random.nextInt(3) == 0) {
            keep(bracket::close);
            return;
        }
        try (bracket;
                Arena arena = Arena.ofConfined()) {
            if (access.writes() && one.writable()) {
                one.pattern().fill(one.buffer().map(Access.READ_WRITE, arena));
            } else {
                one.pattern().check(one.buffer().map(Access.READ, arena), "a mapping within a CPU access");
            }
        }
    }

    private void export() throws IOException {
        Held one = any();
        if (one == null) {
            return;
        }
        OwnedFd fd;
        try {
            fd = one.buffer().exportFd();
        } catch (HeapException e) {
            if (!one.exportable() && e.errno() == Errno.ENOTSUP) {
                return;
            }
            throw e;
        }
        require(one.exportable(), "a descriptor of " + one.buffer());
        if (random.nextInt(3) == 0) {
            keep(fd::close);
        } else if (random.nextInt(3) == 0) {
            try (OwnedFd mine = OwnedFd.of(fd.detach(), Syscalls.linux()::close)) {
                one.pattern().check(mine.fd(), one.buffer().size());
            }
        } else {
            try (fd) {
                one.pattern().check(fd.fd(), one.buffer().size());
            }
        }
    }

    private void duplicate() {
        Held one = any();
        if (one != null && held.size() < MOST_HELD) {
            held.add(one.duplicate());
        }
    }

    private void handOver() {
        Held one = any();
        if (one == null || !one.exportable() || held.size() >= MOST_HELD) {
            return;
        }
        try (FdListener listener = FdListener.bind(socket);
                FdSocket sender = FdSocket.connect(socket, HAND_OVER);
                FdSocket receiver = listener.accept(HAND_OVER, peer -> true)) {
            try (OwnedFd fd = one.buffer().exportFd()) {
                sender.send(fd, "soak");
            }
            try (FdMessage message = receiver.receive()) {
                OwnedFd fd = OwnedFd.of(message.descriptor().detach(), Syscalls.linux()::close);
                DmaBuf adopted;
                try {
                    adopted = broker().adopt(fd, "adopted");
                } catch (HeapException | IllegalStateException e) {
                    boolean writable = !isWriteSealed(fd);
                    fd.close();
                    if (writable && e instanceof HeapException refusal && refusal.errno() == Errno.EPERM) {
                        return; // the broker is not configured to adopt memory that can lose pages
                    }
                    throw e;
                }
                Held got = new Held(adopted, one.pattern(), false, true, life);
                held.add(got);
                checkMapped(got);
            }
        }
    }

    private static boolean isWriteSealed(OwnedFd fd) {
        int seals = Syscalls.linux().fcntl(fd.fd(), 1034, 0); // F_GET_SEALS
        return seals >= 0 && (seals & 0x18) != 0; // F_SEAL_WRITE | F_SEAL_FUTURE_WRITE
    }

    /** Closes a reference while a peer keeps the memory. If it was the last reference, the buffer lingers. */
    private void leaveToPeer() throws IOException {
        Held one = any();
        if (one == null || !one.exportable()) {
            return;
        }
        if (peers.size() >= MOST_PEERS) {
            endPeer();
        }
        try (OwnedFd fd = one.buffer().exportFd()) {
            peers.add(new Peer(
                    OwnedFd.of(fd.detach(), Syscalls.linux()::close),
                    one.pattern(),
                    one.buffer().size()));
        }
        drop(one);
        one.buffer().close();
    }

    private void endPeer() throws IOException {
        if (!peers.isEmpty()) {
            Peer peer = peers.remove(random.nextInt(peers.size()));
            try (OwnedFd fd = peer.fd()) {
                peer.pattern().check(fd.fd(), peer.size());
            }
        }
    }

    private void publish() {
        Held one = any();
        if (one != null) {
            Publication publication = broker().publish(
                            one.buffer(),
                            "soak-" + Long.toHexString(one.pattern().key()));
            keep(publication::close);
        }
    }

    /** Opens a publication of any bundle. That bundle may end the publication meanwhile. */
    private void lookUp() throws InvalidSyntaxException {
        List<ServiceReference<PublishedBuffer>> found = published();
        if (found.isEmpty()) {
            return;
        }
        ServiceReference<PublishedBuffer> service = found.get(random.nextInt(found.size()));
        PublishedBuffer published = context.getService(service);
        if (published == null) {
            tally.refused("look up", "gone");
            return;
        }
        try (DmaBuf buffer = published.open();
                Arena arena = Arena.ofConfined()) {
            Pattern pattern =
                    new Pattern(Long.parseUnsignedLong(published.name().substring("soak-".length()), 16));
            pattern.check(buffer.map(Access.READ, arena), "a published buffer");
            require(published.access() == Access.READ, "granted " + published.access());
        } catch (IllegalStateException e) {
            tally.refused("look up", "closed");
        } finally {
            context.ungetService(service);
        }
    }

    private List<ServiceReference<PublishedBuffer>> published() throws InvalidSyntaxException {
        try {
            return new ArrayList<>(context.getServiceReferences(PublishedBuffer.class, "(dmabuf.name=soak-*)"));
        } catch (NullPointerException e) {
            // Felix 7.0.5 fails here if the publisher is uninstalled at this moment.
            tally.refused("look up", "publisher uninstalled");
            return List.of();
        }
    }

    private void keep(Runnable close) {
        others.add(close);
        if (others.size() > MOST_OTHERS) {
            endOther();
        }
    }

    private void endOther() {
        if (!others.isEmpty()) {
            others.remove(random.nextInt(others.size())).run();
        }
    }

    private void forget() {
        Held one = any();
        if (one != null && one.buffer().size() <= FORGETTABLE && random.nextInt(4) == 0) {
            tally.forgets();
            drop(one);
        }
    }

    private void share() {
        Held one = take();
        if (one != null) {
            Held before = common.getAndSet(random.nextInt(common.length()), one);
            if (before != null) {
                before.buffer().close();
            }
        }
    }

    /** Checks a closed buffer. Only a close by another thread may be the reason. */
    private void useShared() throws IOException {
        int slot = random.nextInt(common.length());
        Held one = common.get(slot);
        if (one == null) {
            return;
        }
        try {
            switch (random.nextInt(4)) {
                case 0 -> checkMapped(one);
                case 1 -> one.buffer().newReference().close();
                case 2 -> one.buffer().beginCpuAccess(Access.READ).close();
                default -> {
                    if (one.exportable()) {
                        try (OwnedFd fd = one.buffer().exportFd()) {
                            one.pattern().check(fd.fd(), one.buffer().size());
                        }
                    }
                }
            }
        } catch (IllegalStateException e) {
            if (common.get(slot) == one && one.brokerLife() == tally.brokerLife()) {
                throw e;
            }
            tally.refused("use what is shared", "closed by another thread");
        }
    }

    private void list() {
        for (HeapInfo heap : broker().heaps()) {
            require(
                    heap.charged().liveBuffers() >= 0 && heap.charged().liveBytes() >= 0,
                    heap.name() + " has " + heap.charged());
        }
    }

    private void checkMapped(Held one) {
        try (Arena arena = random.nextBoolean() ? Arena.ofConfined() : Arena.ofShared()) {
            one.pattern().check(one.buffer().map(Access.READ, arena), "a mapping");
        }
    }

    private Held any() {
        return held.isEmpty() ? null : held.get(random.nextInt(held.size()));
    }

    private Held take() {
        return held.isEmpty() ? null : held.remove(random.nextInt(held.size()));
    }

    /**
     * Compares identities. The JVM keeps a soft reference to the class of the records that it last compared by equals.
     * This bundle's class loader would then stay until memory is short.
     */
    private void drop(Held one) {
        held.removeIf(each -> each == one);
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
