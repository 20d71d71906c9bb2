// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.hostile;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.stress.Tally;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/**
 * Exchanges with one hostile process after another. Each process is killed at random. Whatever it does, each exchange
 * must end with a result that the interfaces permit, and adopted memory must stay readable to its end.
 */
final class Exchanges implements Runnable {
    private static final int LARGEST_BITS = 22;
    private static final Duration PATIENCE = Duration.ofMillis(700);
    /** Errors that a heap may return, and errors that may refuse a message or a descriptor of a hostile process. */
    private static final Set<Errno> REFUSALS = EnumSet.of(
            Errno.ENOMEM,
            Errno.ENODEV,
            Errno.EIO,
            Errno.EACCES,
            Errno.EPERM,
            Errno.EBADF,
            Errno.EBADFD,
            Errno.EINVAL,
            Errno.EPROTO,
            Errno.EPIPE,
            Errno.ECONNRESET,
            Errno.ENOTCONN,
            Errno.ETIMEDOUT,
            Errno.EBUSY);

    private final BundleContext context;
    private final Tally tally;
    private final Random random;
    private final BooleanSupplier ended;
    private final Path socket;
    private volatile String doing = "nothing yet";

    Exchanges(BundleContext context, Tally tally, int number, BooleanSupplier ended) {
        this.context = context;
        this.tally = tally;
        this.random = tally.random();
        this.ended = ended;
        this.socket = Path.of(System.getProperty("java.io.tmpdir"))
                .resolve("soak-" + ProcessHandle.current().pid() + "-"
                        + context.getBundle().getSymbolicName() + "-" + number);
    }

    String doing() {
        return doing;
    }

    @Override
    public void run() {
        while (!ended.getAsBoolean()) {
            try (HostileProcess process = new HostileProcess(random.nextLong())) {
                int exchanges = random.nextInt(1, 40);
                for (int i = 0; i < exchanges && process.isAlive() && !ended.getAsBoolean(); i++) {
                    exchange(process);
                }
            } catch (IOException e) {
                tally.did("lose a hostile process"); // its own misuse has ended it, so it accepts no more orders
            } catch (RuntimeException | Error e) {
                tally.fail(doing, e);
            }
        }
    }

    private void exchange(HostileProcess process) throws IOException {
        boolean gives = random.nextBoolean();
        doing = gives ? "give to a hostile process" : "adopt from a hostile process";
        int life = tally.brokerLife();
        try {
            if (gives) {
                give(process);
            } else {
                adopt(process);
            }
            tally.did(doing);
        } catch (HeapException e) {
            tally.refused(doing, e.errno().toString());
            if (!REFUSALS.contains(e.errno())) {
                tally.fail(doing, e);
            }
        } catch (FdSocketException e) {
            tally.refused(doing, e.errno().toString());
            if (!REFUSALS.contains(e.errno())) {
                tally.fail(doing, e);
            }
        } catch (IllegalStateException e) {
            tally.refused(doing, "closed");
            if ((life & 1) == 0 && life == tally.brokerLife()) {
                tally.fail(doing, e);
            }
        }
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

    /** Checks that memory exported for reading only is unchanged. */
    private void give(HostileProcess process) throws IOException {
        long size = random.nextLong(1, 1L << random.nextInt(12, LARGEST_BITS + 1));
        boolean writable = random.nextBoolean();
        byte written = (byte) random.nextInt(1, 128);
        AllocationRequest request = AllocationRequest.of(size)
                .withExport(writable ? ExportMode.READ_WRITE : ExportMode.READ_ONLY)
                .withName("bait");
        try (DmaBuf buffer = broker().allocate(request);
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = buffer.map(Access.READ_WRITE, arena);
            memory.fill(written);
            try (FdListener listener = FdListener.bind(socket)) {
                process.take(socket);
                try (FdSocket peer = listener.accept(PATIENCE, _ -> true);
                        OwnedFd fd = buffer.exportFd()) {
                    peer.send(fd, "bait");
                }
            }
            if (random.nextInt(8) == 0) {
                process.close(); // the process may be reading meanwhile
            } else if (random.nextBoolean()) {
                LockSupport.parkNanos(random.nextLong(3_000_000));
            }
            long sum = sum(memory);
            if (!writable && sum != written * memory.byteSize()) {
                throw new AssertionError("a buffer that was exported for reading only has changed: " + buffer);
            }
        }
    }

    private void adopt(HostileProcess process) throws IOException {
        try (FdListener listener = FdListener.bind(socket)) {
            process.give(socket);
            try (FdSocket peer = listener.accept(PATIENCE, _ -> true);
                    FdMessage message = peer.receive()) {
                OwnedFd fd = OwnedFd.of(message.descriptor().detach(), Syscalls.linux()::close);
                DmaBuf adopted;
                try {
                    adopted = broker().adopt(fd, "catch");
                } catch (HeapException | IllegalStateException e) {
                    fd.close();
                    throw e;
                }
                try (adopted;
                        Arena arena = Arena.ofConfined()) {
                    if (random.nextInt(4) == 0) {
                        LockSupport.parkNanos(random.nextLong(3_000_000)); // the process continues its use
                    }
                    sum(adopted.map(Access.READ, arena));
                    tally.did("read what was adopted from a hostile process");
                }
            }
        }
    }

    private static long sum(MemorySegment memory) {
        long sum = 0;
        for (long at = 0; at < memory.byteSize(); at++) {
            sum += memory.get(ValueLayout.JAVA_BYTE, at);
        }
        return sum;
    }
}
