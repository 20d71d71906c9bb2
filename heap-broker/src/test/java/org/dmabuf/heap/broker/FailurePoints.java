// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.EndsOnce;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.buffer.ReferenceTracker;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.ProcessState;
import org.osgi.framework.BundleEvent;

/**
 * Program that makes the operations of a client, its bundle's stop and the broker's stop fail at one point after
 * another. The cause is an exhausted Java heap, an exhausted stack, or a log that throws. After each point every
 * resource is closed. Then the accounts, the descriptors and the mappings must be those of the beginning.
 *
 * <p>It runs in a separate process: see {@link FailurePointsTest}.
 */
public final class FailurePoints {
    private static final long SIZE = 16 << 10;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** Number of failures after which the run ends, because each further point would only wait for lost memory. */
    private static final int MOST_WRONG = 3;

    private static final int MFD_ALLOW_SEALING = 0x2;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_GETFD = 1;
    /** SEAL, SHRINK, GROW and WRITE. */
    private static final int ALL_SEALS = 0xf;

    /** One operation, with its preparation and with its end, which runs whether the operation failed or not. */
    private abstract static class Act {
        final String name;

        Act(String name) {
            this.name = name;
        }

        void prepare() throws Exception {}

        abstract void run() throws Exception;

        abstract void end() throws Exception;
    }

    /** Way to make an operation fail at a point. It returns whether the operation failed. */
    private interface Failing {
        boolean failed(Act act, int point) throws Exception;
    }

    private final BrokerParts broker = new BrokerParts();
    private final FakeBundle publisher = new FakeBundle("org.example.publisher").registering();
    private final FakeBundle consumer = new FakeBundle("org.example.consumer");
    private final HeapAccount account;
    private final List<String> wrong = new ArrayList<>();
    private int failures;
    private String running = "";

    /** @param faulty whether the heap fails at each return of memory, so that the broker logs */
    private FailurePoints(boolean faulty) {
        MemfdSource source = MemfdSource.open("system", Syscalls.linux(), Headroom.machine());
        account = broker.heap("system", faulty ? new FaultyHeap(source) : source, source.properties())
                .account();
        // The quotas are so tight that a reservation which a point leaves is missing at the next.
        broker.ledger.apply(BrokerParts.rules(
                new String[] {"system=256K"},
                new String[] {"*=256K"},
                new String[] {"*/system=256K"},
                new String[0],
                "*"));
    }

    /**
     * Runs one kind of failure.
     *
     * @param arguments heap, stack or log; the distance between two points; how many points at most
     */
    public static void main(String[] arguments) throws Exception {
        int status = 1;
        try {
            FailurePoints points = new FailurePoints(arguments[0].equals("log"));
            int step = Integer.parseInt(arguments[1]);
            int most = Integer.parseInt(arguments[2]);
            points.warmUp();
            switch (arguments[0]) {
                case "heap" -> {
                    points.warmUpFailures();
                    points.everywhere(FailurePoints::withFullHeap, step, most);
                }
                case "stack" -> points.everywhere(FailurePoints::withUsedUpStack, step, most);
                case "log" -> points.everywhere(FailurePoints::withFailingLog, 1, 1);
                default -> throw new IllegalArgumentException(arguments[0]);
            }
            if (!points.wrong.isEmpty()) {
                RecordedLog.lines().stream().limit(20).forEach(System.out::println);
            }
            points.wrong.forEach(System.out::println);
            System.out.println(points.failures + " failures, " + points.wrong.size() + " wrong");
            status = points.wrong.isEmpty() && points.failures > 0 ? 0 : 1;
        } catch (Throwable e) {
            e.printStackTrace();
        }
        Runtime.getRuntime().halt(status); // hanging threads must not keep the process alive
    }

    private List<Act> acts() {
        return List.of(
                new Allocate(),
                new AllocateSeveral(),
                new Close(),
                new MapBuffer(),
                new EndArena(),
                new Begin(),
                new EndBracket(),
                new Export(),
                new CloseExported(),
                new CloseDescriptor(),
                new Detach(),
                new Duplicate(),
                new Publish(),
                new Unpublish(),
                new OpenPublished(),
                new OpenView(),
                new CloseView(),
                new Adopt(),
                new StopBundle(),
                new StopBroker());
    }

    /** Runs each operation a few times in advance, because a failed load of a class is permanent. */
    private void warmUp() throws Exception {
        for (int i = 0; i < 3; i++) {
            for (Act act : acts()) {
                act.prepare();
                try {
                    act.run();
                } catch (RuntimeException e) {
                    // Thrown by a faulty heap; the test checks only the remaining resources.
                }
                endAgain(act);
                settle(act.name + ", the first time", i);
            }
        }
    }

    /** Runs the code after a failure once in advance, because it loads classes too. */
    private void warmUpFailures() throws Exception {
        for (Act act : acts()) {
            for (int left : new int[] {64 << 10, 1024, 256, 0}) {
                if (wrong.isEmpty()) {
                    act.prepare();
                    withFullHeap(act, left);
                    endAgain(act);
                    settle(act.name + ", warming up", left);
                }
            }
        }
    }

    private void everywhere(Failing way, int step, int most) throws Exception {
        for (Act act : acts()) {
            int failedHere = 0;
            for (int point = 0; point < most && wrong.size() < MOST_WRONG; point++) {
                ProcessState before = ProcessState.now();
                act.prepare();
                boolean failed = way.failed(act, point * step);
                endAgain(act);
                settle(act.name, point * step);
                left(before, act.name, point * step);
                failures += failed ? 1 : 0;
                failedHere += failed ? 1 : 0;
            }
            System.out.println(act.name + ": " + failedHere + " failures");
        }
    }

    /** Ends an operation twice, because its end may have failed. A step that is done is not repeated. */
    private void endAgain(Act act) {
        running = act.name;
        for (int i = 0; i < 2; i++) {
            try {
                act.end();
            } catch (HeapException e) {
                // Thrown by a faulty heap at the end of a CPU access.
            } catch (Throwable e) {
                wrong.add(act.name + ": its end failed: " + e);
                e.printStackTrace(System.out);
            }
        }
    }

    private void drain() {
        long start = System.nanoTime();
        while (account.buffers() + broker.adoption.account().buffers() > 0
                && System.nanoTime() - start < PATIENCE_NANOS) {
            broker.services.hasComeBack(broker.client.account(), 0);
            endLostMappings();
            LockSupport.parkNanos(100_000);
        }
    }

    /**
     * Ends lost handles as the thread of {@link LeakDetector} does. The broker itself must not lose a reference to a
     * buffer.
     */
    private void endLostMappings() {
        System.gc();
        for (Reference<?> one = broker.leaks.lost().poll();
                one != null;
                one = broker.leaks.lost().poll()) {
            if (one instanceof ReferenceTracker tracker) {
                wrong.add(running + ": a reference was lost: " + tracker.buffer);
            }
            ((EndsOnce) one).lost();
        }
    }

    private void settle(String act, int point) {
        drain();
        for (HeapAccount each : List.of(account, broker.adoption.account())) {
            if (each.buffers() != 0 || each.bytes() != 0) {
                wrong.add(act + " at " + point + ": charged " + each.buffers() + " buffers, " + each.bytes()
                        + " bytes of heap " + each.heap());
            }
        }
        for (ClientAccount client : broker.ledger.clients()) {
            if (client.snapshot().liveBytes() != 0 || client.snapshot().lingeringBytes() != 0) {
                wrong.add(act + " at " + point + ": charged to " + client.id().toString() + ": " + client.snapshot());
            }
        }
    }

    private void left(ProcessState before, String act, int point) {
        long start = System.nanoTime();
        List<String> left = before.leftIn(ProcessState.now());
        while (!left.isEmpty() && System.nanoTime() - start < PATIENCE_NANOS / 5) {
            LockSupport.parkNanos(1_000_000);
            left = before.leftIn(ProcessState.now());
        }
        // After the first export the broker keeps one inotify instance and one event counter.
        left.stream()
                .filter(line -> !line.contains("anon_inode"))
                .forEach(line -> wrong.add(act + " at " + point + ": " + line));
    }

    private static boolean withFullHeap(Act act, int point) throws Exception {
        Throwable thrown = null;
        try (FullHeap _ = new FullHeap(point)) {
            act.run();
        } catch (OutOfMemoryError e) {
            thrown = e;
        }
        return thrown != null;
    }

    /** Leaves as many stack frames free as the point has, in units of {@link #descend}. */
    private static boolean withUsedUpStack(Act act, int point) throws Exception {
        Throwable[] thrown = new Throwable[1];
        boolean[] run = new boolean[1];
        Thread thread = new Thread(
                null,
                () -> {
                    try {
                        descend(deepest() - point - 1, act, run);
                    } catch (Throwable e) {
                        thrown[0] = e;
                    }
                },
                "deep",
                512 << 10);
        thread.start();
        thread.join();
        if (thrown[0] != null && !(thrown[0] instanceof StackOverflowError)) {
            throw new AssertionError(act.name + " at " + point + ": not a used up stack", thrown[0]);
        }
        return run[0] && thrown[0] != null;
    }

    private static int deepest() throws Exception {
        reached = 0;
        try {
            descend(Integer.MAX_VALUE, null, null);
        } catch (StackOverflowError e) {
            return reached;
        }
        throw new AssertionError("the stack has no end");
    }

    private static int reached;

    private static void descend(int left, Act act, boolean[] run) throws Exception {
        if (left <= 0) {
            run[0] = true;
            act.run();
        } else {
            reached++;
            descend(left - 1, act, run);
        }
    }

    private static boolean withFailingLog(Act act, int point) throws Exception {
        try {
            RecordedLog.fail(true);
            act.run();
        } catch (IllegalStateException | HeapException e) {
            // Thrown by the log or by the heap; both may reach the caller.
        } finally {
            RecordedLog.fail(false);
        }
        return true;
    }

    /** Heap that does its work, and then throws a throwable whose message and text also fail. */
    private record FaultyHeap(HeapExporter sound) implements HeapExporter {
        @Override
        public HeapBuffer allocate(HeapRequest request) {
            return new FaultyBuffer(sound.allocate(request));
        }
    }

    private record FaultyBuffer(HeapBuffer sound) implements HeapBuffer {
        private static RuntimeException unprintable() {
            return new RuntimeException() {
                private static final long serialVersionUID = 1L;

                @Override
                public String getMessage() {
                    throw new IllegalStateException("made up: the message fails");
                }
            };
        }

        @Override
        public long size() {
            return sound.size();
        }

        @Override
        public int descriptor() {
            return sound.descriptor();
        }

        @Override
        public MemorySegment map(Access access) {
            return sound.map(access);
        }

        @Override
        public void unmap(MemorySegment mapping) {
            sound.unmap(mapping);
            throw unprintable();
        }

        @Override
        public void endCpuAccess(Access access) {
            sound.endCpuAccess(access);
            throw unprintable();
        }

        @Override
        public void release() {
            sound.release();
            throw unprintable();
        }

        @Override
        public String toString() {
            throw new IllegalStateException("made up: toString fails");
        }
    }

    private static void close(AutoCloseable thing) throws Exception {
        if (thing != null) {
            thing.close();
        }
    }

    private BufferReference buffer() {
        return broker.allocate(SIZE);
    }

    private final class Allocate extends Act {
        private DmaBuf made;

        Allocate() {
            super("allocate");
        }

        @Override
        void run() {
            made = null;
            made = buffer();
        }

        @Override
        void end() throws Exception {
            close(made);
        }
    }

    private final class AllocateSeveral extends Act {
        private List<DmaBuf> made = List.of();

        AllocateSeveral() {
            super("allocate several");
        }

        @Override
        void prepare() {
            made = List.of();
        }

        @Override
        void run() {
            made = publisher().allocate(AllocationRequest.of(SIZE), 4);
        }

        @Override
        void end() {
            made.forEach(DmaBuf::close);
        }
    }

    private final class Close extends Act {
        private DmaBuf made;

        Close() {
            super("close");
        }

        @Override
        void prepare() {
            made = buffer();
        }

        @Override
        void run() {
            made.close();
        }

        @Override
        void end() {
            made.close();
        }
    }

    private final class MapBuffer extends Act {
        private DmaBuf made;
        private Arena arena;

        MapBuffer() {
            super("map");
        }

        @Override
        void prepare() {
            made = buffer();
            arena = Arena.ofShared();
        }

        @Override
        void run() {
            MemorySegment memory = made.map(Access.READ_WRITE, arena);
            memory.fill((byte) 1);
        }

        @Override
        void end() {
            if (arena.scope().isAlive()) {
                arena.close();
            }
            made.close();
        }
    }

    private final class EndArena extends Act {
        private DmaBuf made;
        private Arena arena;

        EndArena() {
            super("end an arena");
        }

        @Override
        void prepare() {
            made = buffer();
            arena = Arena.ofShared();
            made.map(Access.READ_WRITE, arena);
            made.map(Access.READ, arena);
        }

        @Override
        void run() {
            arena.close();
        }

        @Override
        void end() {
            if (arena.scope().isAlive()) {
                arena.close();
            }
            made.close();
        }
    }

    private final class Begin extends Act {
        private DmaBuf made;
        private CpuAccess bracket;

        Begin() {
            super("begin a CPU access");
        }

        @Override
        void prepare() {
            made = buffer();
            bracket = null;
        }

        @Override
        void run() {
            bracket = made.beginCpuAccess(Access.WRITE);
        }

        @Override
        void end() throws Exception {
            close(bracket);
            made.close();
        }
    }

    private final class EndBracket extends Act {
        private DmaBuf made;
        private CpuAccess bracket;

        EndBracket() {
            super("end a CPU access");
        }

        @Override
        void prepare() {
            made = buffer();
            bracket = made.beginCpuAccess(Access.WRITE);
        }

        @Override
        void run() {
            bracket.close();
        }

        @Override
        void end() {
            bracket.close();
            made.close();
        }
    }

    private final class Export extends Act {
        private DmaBuf made;
        private OwnedFd fd;

        Export() {
            super("export");
        }

        @Override
        void prepare() {
            made = buffer();
            fd = null;
        }

        @Override
        void run() {
            fd = made.exportFd();
        }

        @Override
        void end() throws Exception {
            close(fd);
            made.close();
        }
    }

    private final class CloseExported extends Act {
        private DmaBuf made;
        private OwnedFd fd;

        CloseExported() {
            super("close what a holder has");
        }

        @Override
        void prepare() {
            made = buffer();
            try (OwnedFd exported = made.exportFd()) {
                fd = OwnedFd.of(exported.detach(), Syscalls.linux()::close);
            }
        }

        @Override
        void run() {
            made.close();
        }

        @Override
        void end() throws Exception {
            made.close();
            close(fd);
        }
    }

    /** The number of a closed descriptor belongs to another file at once, which a second close would close. */
    private final class CloseDescriptor extends Act {
        private DmaBuf made;
        private OwnedFd fd;

        CloseDescriptor() {
            super("close a descriptor");
        }

        @Override
        void prepare() {
            made = buffer();
            fd = made.exportFd();
        }

        @Override
        void run() {
            fd.close();
        }

        @Override
        void end() {
            Syscalls linux = Syscalls.linux();
            int another = linux.memfdCreate("another", MFD_ALLOW_SEALING);
            fd.close();
            if (linux.fcntl(another, F_GETFD, 0) < 0) {
                wrong.add(name + ": it was closed twice");
            }
            linux.close(another);
            made.close();
        }
    }

    private final class Detach extends Act {
        private DmaBuf made;
        private OwnedFd fd;
        private int number;

        Detach() {
            super("detach a descriptor");
        }

        @Override
        void prepare() {
            made = buffer();
            fd = made.exportFd();
            number = -1;
        }

        @Override
        void run() {
            number = fd.detach();
        }

        @Override
        void end() {
            fd.close();
            if (number >= 0) {
                Syscalls.linux().close(number);
                number = -1;
            }
            made.close();
        }
    }

    private final class Duplicate extends Act {
        private DmaBuf made;
        private DmaBuf other;

        Duplicate() {
            super("duplicate");
        }

        @Override
        void prepare() {
            made = buffer();
            other = null;
        }

        @Override
        void run() {
            other = made.newReference();
        }

        @Override
        void end() throws Exception {
            close(other);
            made.close();
        }
    }

    private HeapBroker publisher() {
        return broker.clients.getService(publisher.bundle(), null);
    }

    private final class Publish extends Act {
        private DmaBuf made;
        private HeapBroker publisher;
        private Publication publication;

        Publish() {
            super("publish");
        }

        @Override
        void prepare() {
            publisher = publisher();
            made = publisher.allocate(AllocationRequest.of(SIZE));
            publication = null;
        }

        @Override
        void run() {
            publication = publisher.publish(made, "frame");
        }

        @Override
        void end() throws Exception {
            close(publication);
            made.close();
        }
    }

    private final class Unpublish extends Act {
        private DmaBuf made;
        private Publication publication;

        Unpublish() {
            super("end a publication");
        }

        @Override
        void prepare() {
            HeapBroker publisher = publisher();
            made = publisher.allocate(AllocationRequest.of(SIZE));
            publication = publisher.publish(made, "frame");
        }

        @Override
        void run() {
            made.close();
            publication.close();
        }

        @Override
        void end() {
            publication.close();
            made.close();
        }
    }

    private final class OpenPublished extends Act {
        private DmaBuf made;
        private Publication publication;
        private PublishedBuffer published;
        private DmaBuf open;

        OpenPublished() {
            super("open a published buffer");
        }

        @Override
        void prepare() {
            HeapBroker publisher = publisher();
            made = publisher.allocate(AllocationRequest.of(SIZE));
            publication = publisher.publish(made, "frame");
            published = FakeBundle.published(publication, consumer);
            open = null;
        }

        @Override
        void run() {
            open = published.open();
        }

        @Override
        void end() throws Exception {
            close(open);
            publication.close();
            made.close();
        }
    }

    /** The charge may still be leaving the client's account. */
    private void requireForgotten(ClientId client) {
        long start = System.nanoTime();
        while (broker.ledger.clients().stream().anyMatch(account -> account.id().equals(client))) {
            if (System.nanoTime() - start > PATIENCE_NANOS) {
                wrong.add(running + ": " + client + " is still among the clients");
                return;
            }
            LockSupport.parkNanos(100_000);
        }
    }

    private final class OpenView extends Act {
        private final ClientId user = ClientId.of("uid", "1000");
        private ClientView view;

        OpenView() {
            super("open a view");
        }

        @Override
        void prepare() {
            view = null;
        }

        @Override
        void run() {
            view = publisher().openView(user);
        }

        @Override
        void end() throws Exception {
            close(view);
            requireForgotten(user);
        }
    }

    private final class CloseView extends Act {
        private final ClientId user = ClientId.of("uid", "1001");
        private ClientView view;
        /** The references that the view's client keeps reachable. */
        private final List<Object> open = new ArrayList<>();

        CloseView() {
            super("close a view");
        }

        @Override
        void prepare() {
            view = publisher().openView(user);
            DmaBuf made = view.allocate(AllocationRequest.of(SIZE));
            open.clear();
            open.addAll(List.of(made, made.exportFd(), made.newReference(), made.beginCpuAccess(Access.READ)));
            open.add(view.publish(made, "frame"));
        }

        @Override
        void run() {
            view.close();
        }

        @Override
        void end() {
            view.close();
            drain();
            requireForgotten(user);
        }
    }

    private final class Adopt extends Act {
        private OwnedFd fd;
        private DmaBuf adopted;

        Adopt() {
            super("adopt");
        }

        @Override
        void prepare() {
            Syscalls linux = Syscalls.linux();
            fd = OwnedFd.of(linux.memfdCreate("theirs", MFD_ALLOW_SEALING), linux::close);
            linux.fallocate(fd.fd(), 0, 0, SIZE);
            try (Arena arena = Arena.ofConfined()) { // unwritten pages are holes
                new Mappings(linux).map(fd, SIZE, Access.READ_WRITE, arena).fill((byte) 1);
            }
            linux.fcntl(fd.fd(), F_ADD_SEALS, ALL_SEALS);
            adopted = null;
        }

        @Override
        void run() {
            adopted = broker.adoption.adopt(broker.client, fd, "theirs");
        }

        @Override
        void end() throws Exception {
            close(adopted);
            fd.close();
        }
    }

    private final class StopBundle extends Act {
        private FakeBundle bundle;
        private Arena arena;
        private OwnedFd kept;
        /** The references that the bundle keeps reachable. */
        private final List<Object> open = new ArrayList<>();

        StopBundle() {
            super("stop a bundle");
        }

        @Override
        void prepare() {
            bundle = new FakeBundle("org.example.camera").registering();
            HeapBroker own = broker.clients.getService(bundle.bundle(), null);
            arena = Arena.ofShared();
            DmaBuf first = own.allocate(AllocationRequest.of(SIZE));
            first.map(Access.READ, arena);
            DmaBuf second = own.allocate(AllocationRequest.of(SIZE));
            kept = OwnedFd.of(second.exportFd().detach(), Syscalls.linux()::close);
            open.clear();
            open.addAll(List.of(first, first.beginCpuAccess(Access.READ), second, second.exportFd()));
            open.addAll(List.of(first.newReference(), own.allocate(AllocationRequest.of(SIZE))));
            ClientView view = own.openView(ClientId.of("uid", "1002"));
            DmaBuf theirs = view.allocate(AllocationRequest.of(SIZE));
            open.addAll(List.of(view, theirs, view.publish(theirs, "frame")));
        }

        @Override
        void run() {
            bundle.stop();
            broker.clients.bundleChanged(bundle.event(BundleEvent.STOPPED));
        }

        @Override
        void end() {
            bundle.stop();
            broker.clients.bundleChanged(bundle.event(BundleEvent.STOPPED)); // an event of any bundle, later
            if (arena.scope().isAlive()) {
                arena.close();
            }
            kept.close();
        }
    }

    private final class StopBroker extends Act {
        private BrokerParts other;
        private HeapAccount charged;

        StopBroker() {
            super("stop a broker");
        }

        @Override
        void prepare() {
            other = new BrokerParts();
            charged = other.memfd("system").account();
            FakeBundle bundle = new FakeBundle("org.example.camera");
            HeapBroker own = other.clients.getService(bundle.bundle(), null);
            own.allocate(AllocationRequest.of(SIZE)).newReference();
            own.allocate(AllocationRequest.of(SIZE)).beginCpuAccess(Access.READ);
        }

        @Override
        void run() {
            other.clients.stopAll();
            other.close();
        }

        @Override
        void end() {
            other.clients.stopAll();
            other.close();
            if (charged.buffers() != 0) {
                wrong.add(name + ": charged " + charged.buffers());
            }
        }
    }
}
